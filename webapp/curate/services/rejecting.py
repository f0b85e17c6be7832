"""A lead's word that examples are not to be trained on, and taking it back. Frozen versions stay as they
are."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from webapp.accounts.models import User
from webapp.curate.models import Example, Rejection
from webapp.projects.models import Project
from webapp.projects.services import audit_record


class RejectionError(Exception):
    """A rejection that cannot be made or undone; the message says why."""


@transaction.atomic
def examples_reject(
    *,
    project: Project,
    examples: QuerySet[Example],
    reason: str,
    by: User,
    filters: Mapping[str, str] | None = None,
) -> Rejection:
    """Leave these examples out of every later dataset version. What is rejected already keeps its reason.

    Raises:
        RejectionError: no reason, or none of them is left to reject.
    """
    if not reason.strip():
        raise RejectionError("Say why: others will wonder where the examples went.")
    rejection = Rejection.objects.create(
        project=project, by=by, reason=reason.strip(), filters=dict(filters or {})
    )
    chosen = Example.objects.filter(project=project, rejection=None, pk__in=examples.order_by().values("pk"))
    rejection.count = chosen.update(rejection=rejection)
    if not rejection.count:
        transaction.set_rollback(True)
        raise RejectionError("None of these examples is left to reject.")
    rejection.save(update_fields=["count"])
    _audit(rejection, by, "examples rejected")
    return rejection


@transaction.atomic
def examples_accept(*, project: Project, examples: QuerySet[Example], by: User) -> int:
    """Take rejected examples in again; how many there were."""
    chosen = Example.objects.filter(project=project, pk__in=examples.order_by().values("pk"))
    count = chosen.filter(rejection__isnull=False).update(rejection=None)
    if count:
        audit_record(project=project, actor=by, verb="examples accepted", target="", data={"count": count})
    return count


@transaction.atomic
def rejection_undo(*, rejection: Rejection, by: User) -> int:
    """Take in again what this rejection left out and nobody accepted since; how many there were.

    Raises:
        RejectionError: it was undone before.
    """
    held = Rejection.objects.select_for_update().get(pk=rejection.pk)
    if held.undone_at:
        raise RejectionError("This rejection was undone before.")
    count = Example.objects.filter(rejection=held).update(rejection=None)
    held.undone_at, held.undone_by = timezone.now(), by
    held.save(update_fields=["undone_at", "undone_by"])
    _audit(held, by, "rejection undone")
    return count


def _audit(rejection: Rejection, by: User, verb: str) -> None:
    audit_record(
        project=rejection.project,
        actor=by,
        verb=verb,
        target=f"rejection {rejection.pk}",
        data={"count": rejection.count, "reason": rejection.reason},
    )

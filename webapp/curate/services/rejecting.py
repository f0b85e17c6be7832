"""A lead's word that examples are not to be trained on, and taking it back. Frozen versions stay as they
are."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from webapp.accounts.models import User
from webapp.curate.models import Example, Rejected, Rejection
from webapp.projects.models import Project
from webapp.projects.services import audit_record


class RejectionError(Exception):
    """A rejection that cannot be made or undone; the message says why."""


_REJECT = """
INSERT INTO curate_rejected (example_id, rejection_id) SELECT pk.id, %s FROM ({}) AS pk(id)
ON CONFLICT (example_id) DO NOTHING
"""


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
    chosen = Example.objects.filter(pk__in=examples.order_by().values("pk"), project=project)
    listed, values = chosen.values("pk").query.sql_with_params()
    with connection.cursor() as cursor:  # in the database: they may be a million
        cursor.execute(_REJECT.format(listed), [rejection.pk, *values])
        rejection.count = cursor.rowcount
    if not rejection.count:
        transaction.set_rollback(True)
        raise RejectionError("None of these examples is left to reject.")
    rejection.save(update_fields=["count"])
    _audit(rejection, by, "examples rejected")
    return rejection


@transaction.atomic
def examples_accept(*, project: Project, examples: QuerySet[Example], by: User) -> int:
    """Take rejected examples in again; how many there were."""
    chosen = examples.order_by().filter(project=project).values("pk")
    count, _ = Rejected.objects.filter(example__in=chosen).delete()
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
    count, _ = Rejected.objects.filter(rejection=held).delete()
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

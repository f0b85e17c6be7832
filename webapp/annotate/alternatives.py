"""What may be read of alternatives that were asked for, by whom, and how the wait is put in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loop.curate.material import normalised
from webapp.accounts.models import User
from webapp.annotate.leased import LIVE, QUEUE, State
from webapp.annotate.models import Annotation, Assignment, Regeneration
from webapp.annotate.selectors import annotatable
from webapp.events import ticket_for
from webapp.projects.models import Project, Role
from webapp.projects.rich import marked_up
from webapp.traces.models import Response

NO_WORKER_AFTER = timedelta(seconds=3)  # waited for so long while nobody is at work: no worker runs


def led(user: User) -> QuerySet[Project]:
    """The projects in which this person sees everybody's work."""
    if user.is_superuser:
        return Project.objects.all()
    return Project.objects.filter(memberships__user=user, memberships__role__in=(Role.ADMIN, Role.LEAD))


def claim_for(user: User, token: UUID) -> Assignment:
    """This person's own claim, or anyone's in a project they lead.

    Raises:
        Assignment.DoesNotExist: neither.
    """
    own = Q(user=user, task__project__in=annotatable(user))
    return Assignment.objects.get(own | Q(task__project__in=led(user)), token=token)


def sent_back(claim: Assignment) -> bool:
    """Whether the answer to this claim is with its author again."""
    return Annotation.objects.filter(assignment=claim, state=Annotation.State.SENT_BACK).exists()


def regeneration_for(user: User, pk: UUID) -> Regeneration:
    """A request that this person may see: their own, any where they lead, or of an item they have answered.

    Until they have answered, other people's alternatives would sway them.

    Raises:
        Regeneration.DoesNotExist: none of these.
    """
    answered = Annotation.objects.filter(user=user).values("task_id")
    seen = Q(author=user) | Q(task_id__in=answered)
    may = (seen & Q(project__in=annotatable(user))) | Q(project__in=led(user))
    return Regeneration.objects.select_related("task", "response").get(may, pk=pk)


def regeneration_for_work(pk: UUID) -> Regeneration:
    """A request with all that a worker needs to answer it."""
    rows = Regeneration.objects.select_related("response__prompt", "model_version")
    return rows.get(pk=pk)


def regenerations_of(task_id: int, author_id: int) -> QuerySet[Regeneration]:
    """What a person asked for one item, oldest first; what failed or was cancelled is left out."""
    kept = Regeneration.objects.filter(task_id=task_id, author_id=author_id)
    gone = (State.FAILED, State.CANCELLED)
    return kept.exclude(state__in=gone).select_related("response").order_by("created_at", "id")


def regenerations_shown(found: Iterable[Regeneration], *, checked: bool) -> list[dict[str, Any]]:
    """Requests ready for JSON; a constant number of queries when all of them are done.

    ``checked``: with the checker's verdict. Model and sampling are left out: they would bias.
    """
    rows = list(found)
    made: dict[UUID, list[Response]] = defaultdict(list)
    written = Response.objects.filter(regeneration__in=[r for r in rows if r.state == State.DONE])
    for response in written.defer("token_ids", "logprobs").order_by("created_at", "id"):
        if response.regeneration_id is not None:
            made[response.regeneration_id].append(response)
    return [_shown(row, made[row.pk], checked) for row in rows]


def _shown(row: Regeneration, made: list[Response], checked: bool) -> dict[str, Any]:
    live = row.state in LIVE
    position = _before(row) if row.state == State.QUEUED else 0
    return {
        "id": str(row.pk),
        "step": row.step,
        "count": row.count,
        "state": row.state,
        "position": position,
        "words": _words(row, position) if live else "",
        "items": _distinct(row, made, checked),
        "partial": row.partial if row.state == State.RUNNING else [],
        "error": row.error,
        "url": reverse("api:regeneration", args=[row.pk]),
        "live": f"/events/{ticket_for(project_id=row.project_id, topic=str(row.pk))}" if live else "",
    }


def _distinct(row: Regeneration, made: list[Response], checked: bool) -> list[dict[str, Any]]:
    """Each text once, with how often it was written; the checker's word only where it may be seen."""
    original = [normalised(s.text) for s in row.response.steps[row.step :]]
    found: dict[str, dict[str, Any]] = {}
    for response in made:
        steps = [s.text for s in response.steps[row.step :]]
        item = found.setdefault(
            normalised(response.text),
            {
                "response": str(response.pk),
                "steps": steps,
                "html": [marked_up(text) for text in steps],
                "text": "\n".join(steps),
                "finish": response.finish,
                "times": 0,
                "same_step": bool(steps) and normalised(steps[0]) == original[0],
                "verdict": response.verdict if checked else None,
            },
        )
        item["times"] += 1
    return sorted(found.values(), key=lambda item: item["same_step"])  # what is new comes first


def _before(row: Regeneration) -> int:
    earlier = Regeneration.objects.filter(state__in=LIVE, created_at__lt=row.created_at)
    return earlier.count()


def worker_busy(now: datetime) -> bool:
    """Whether a model worker is seen at work: on a request, or on a unit of batch work."""
    if Regeneration.objects.filter(state=State.RUNNING, lease_until__gte=now).exists():
        return True
    units = apps.get_model("iterations", "WorkUnit")._default_manager
    at_work: bool = units.filter(queue=QUEUE, state="running", leased_until__gte=now).exists()
    return at_work


def _words(row: Regeneration, position: int) -> str:
    now = timezone.now()
    if row.state == State.RUNNING:
        return _("Writing…") if any(row.partial) else _("The model reads the steps…")
    if not worker_busy(now):
        if now - row.created_at > NO_WORKER_AFTER:
            return _("No model worker answers. Your request is kept; go on without it, or write the step.")
        return _("Asking the model…")
    if position:
        words = ngettext(
            "The model is busy; {n} request comes before yours.",
            "The model is busy; {n} requests come before yours.",
            position,
        )
        return words.format(n=position)
    return _("The model is busy; yours is next.")


def checked_for(user: User, row: Regeneration) -> bool:
    """Whether this person may see the checker's verdict on what was written."""
    claim = Assignment.objects.filter(task_id=row.task_id, user=user).first()
    return checker_seen(claim) if claim else led(user).filter(pk=row.project_id).exists()


def checker_seen(claim: Assignment) -> bool:
    """Whether the checker's verdict may be shown beside this claim: only where a critique or the reference
    is, because it says as much."""
    return bool(claim.shown.get("reference") or claim.shown.get("model_critique"))

"""Measuring anew: which stages of which iterations, and the rows that say that it was done.

What the unit of a stage keeps in its result (group -> edition of its formulas) is the record of what was
measured. It tells a group that had nothing to say from one that was never asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from loop.stages import Stage
from webapp import broker
from webapp.iterations.models import Iteration, Queue, WorkUnit
from webapp.iterations.services.measures import KIND, MEASURED
from webapp.metrics import measures
from webapp.metrics.services.values import Measured, measured_result, stage_measure
from webapp.projects.models import Project

State = WorkUnit.State


@dataclass(frozen=True, slots=True)
class Due:
    """A stage that an iteration has left, and the groups to measure of it."""

    iteration: Iteration
    stage: Stage
    groups: tuple[str, ...]


def backfill_due(
    *,
    project: Project | None = None,
    number: int | None = None,
    only: Collection[str] = (),
    missing: bool = False,
) -> Iterator[Due]:
    """What there is to measure, iteration by iteration, oldest first. A stage was left if a move says so.

    ``only``: these groups. ``missing``: groups that were not measured yet, failed, or whose formulas are
    other ones now.
    """
    chosen = Q() if project is None else Q(project=project)
    chosen &= Q() if number is None else Q(number=number)
    found = Iteration.objects.filter(chosen).select_related("project").order_by("project", "number")
    for iteration in found.prefetch_related("transitions"):
        left = {move.from_stage for move in iteration.transitions.all()}
        known = _measured(iteration) if missing else {}
        for stage in MEASURED:
            if stage.value not in left:
                continue
            wanted = [
                module.GROUP
                for module in measures.groups()
                if stage in module.MEASURES
                and (not only or module.GROUP in only)
                and known.get(stage.value, {}).get(module.GROUP) != measures.edition(module.GROUP)
            ]
            if wanted:
                yield Due(iteration, stage, tuple(wanted))


def _measured(iteration: Iteration) -> dict[str, dict[str, str]]:
    """Stage -> group -> edition."""
    units = WorkUnit.objects.filter(iteration=iteration, kind=KIND).values_list("stage", "result")
    return {stage: result.get("groups", {}) for stage, result in units}


def backfill_now(*, due: Due) -> Measured:
    """Measure in this process, and keep with the stage's unit that it was done."""
    measured = stage_measure(iteration=due.iteration, stage=due.stage, only=due.groups)
    with transaction.atomic():
        unit = _unit(due)  # a worker that holds it adds to what it finds
        unit.result = measured_result(unit.result, measured)
        if unit.state in (State.FAILED, State.CANCELLED):
            unit.state, unit.error = State.DONE, ""
        unit.save(update_fields=["result", "state", "error"])
    return measured


@transaction.atomic
def backfill_queue(*, due: Due) -> bool:
    """Queue it for the workers; false where one is measuring the stage right now."""
    unit = _unit(due)
    if unit.state == State.RUNNING:
        return False
    if unit.state != State.QUEUED:
        unit.payload = {"only": []}
    if "only" in unit.payload:  # without it, all groups are to be measured anyway
        unit.payload = _payload(due, {*unit.payload["only"], *due.groups})
    WorkUnit.objects.filter(pk=unit.pk).update(
        state=State.QUEUED, payload=unit.payload, attempt=0, token=None, leased_until=None, error="",
        message="", started_at=None, finished_at=None, announced_at=timezone.now(),
    )  # fmt: skip
    transaction.on_commit(lambda: broker.announce(Queue.LIGHT), robust=True)
    return True


def _payload(due: Due, only: Collection[str]) -> dict[str, Any]:
    return {"stage": due.stage.value, "only": sorted(only)}


def _unit(due: Due) -> WorkUnit:
    """The unit of the stage, locked; an iteration older than measuring gets one that is done."""
    made, _ = WorkUnit.objects.get_or_create(
        iteration=due.iteration,
        kind=KIND,
        ordinal=list(Stage).index(due.stage),
        defaults={
            "project_id": due.iteration.project_id,
            "stage": due.stage.value,
            "queue": Queue.LIGHT,
            "payload": _payload(due, ()),
            "state": State.DONE,
        },
    )
    return WorkUnit.objects.select_for_update(of=("self",)).get(pk=made.pk)

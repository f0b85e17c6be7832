"""Measuring a stage is machine work like any other: a leased unit that a light worker does.

What is measured is the business of the metrics app; a unit says of which stage.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from loop.stages import Stage
from webapp import broker
from webapp.iterations.models import Iteration, Queue, WorkUnit

KIND = "measure"
TRACK = "track"  # telling a tracker what was measured: see webapp/metrics/services/tracking.py
MEASURED = (Stage.GENERATE, Stage.ANNOTATE, Stage.CURATE, Stage.FINETUNE, Stage.EVALUATE, Stage.PROMOTE)


def measuring_plan(*, iteration: Iteration, stage: Stage) -> None:
    """Queue the measuring of a stage; a repeat adds nothing."""
    if stage not in MEASURED:
        return
    WorkUnit.objects.bulk_create(
        [
            WorkUnit(
                project_id=iteration.project_id,
                iteration=iteration,
                stage=stage.value,
                kind=KIND,
                ordinal=list(Stage).index(stage),
                queue=Queue.LIGHT,
                payload={"stage": stage.value},
                announced_at=timezone.now(),
            )
        ],
        ignore_conflicts=True,
    )
    transaction.on_commit(lambda: broker.announce(Queue.LIGHT), robust=True)


def measuring_done(iteration: Iteration, stage: Stage) -> bool | None:
    """Whether a stage was measured, and none before it is still to be; None: nobody planned it."""
    units = WorkUnit.objects.filter(iteration=iteration, kind=KIND)
    states = dict(units.values_list("stage", "state"))
    if stage.value not in states:
        return None
    ahead = {WorkUnit.State.QUEUED, WorkUnit.State.RUNNING}
    return states[stage.value] == WorkUnit.State.DONE and not ahead & set(states.values())

"""Telling a tracker of finished iterations: planned once each, when the last of it was measured.

The unit belongs to no iteration: that a tracker cannot be reached fails nothing else.
"""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from loop.stages import Stage, Status
from webapp import broker
from webapp.iterations.models import Iteration, Queue, WorkUnit
from webapp.iterations.services.measures import KIND as MEASURE
from webapp.iterations.services.measures import TRACK

State = WorkUnit.State


def tracking_plan(*, measured: WorkUnit) -> bool:
    """Plan it if ``measured``, a unit about to be completed, is the last one of an iteration that is over.

    To be called in the transaction of the completion. One that failed is tried again; whether it is planned.
    """
    if not settings.TRACKER or measured.iteration_id is None:
        return False
    # Locked: of two units that are completed at once, the second sees the first as done.
    iteration = Iteration.objects.select_for_update(no_key=True).get(pk=measured.iteration_id)
    others = iteration.units.filter(kind=MEASURE, state__in=[State.QUEUED, State.RUNNING])
    if iteration.status != Status.DONE.value or others.exclude(pk=measured.pk).exists():
        return False
    project_id, fresh = iteration.project_id, {"state": State.QUEUED, "announced_at": timezone.now()}
    unit, made = WorkUnit.objects.get_or_create(
        project_id=project_id,
        iteration=None,
        kind=TRACK,
        ordinal=iteration.number,
        defaults=fresh
        | {"stage": Stage.DONE.value, "queue": Queue.LIGHT, "payload": {"iteration_id": iteration.pk}},
    )
    if not made:
        failed = WorkUnit.objects.filter(pk=unit.pk, state=State.FAILED)
        made = bool(failed.update(**fresh, attempt=0, token=None, error="", finished_at=None))
    if made:
        transaction.on_commit(lambda: broker.announce(Queue.LIGHT), robust=True)
    return made

"""Leased units of machine work.

A unit is claimed with SKIP LOCKED, kept alive by heartbeats, and finished in one transaction with
its results, which checks the fencing token. So a killed worker, a doubled message, a flushed broker
or a late zombie loses nothing and writes nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from loop.stages import OPEN, Stage, Status
from webapp import broker
from webapp.events import notify
from webapp.iterations.models import Iteration, Queue, RunPoint, WorkUnit
from webapp.iterations.services.measures import KIND as MEASURE
from webapp.iterations.services.measures import TRACK
from webapp.iterations.signals import failed
from webapp.projects.models import Project

# A unit whose worker died this often is taken for the killer and fails for people to look at.
MAX_ATTEMPTS = 6
# How long a unit that is queued, or whose lease ran out, may wait before its wake-up is sent again.
REANNOUNCE_AFTER = timedelta(seconds=10)

State = WorkUnit.State
ENDED = [s.value for s in (Status.DONE, Status.FAILED, Status.CANCELLED)]
# A unit of a paused, failed or finished iteration rests, and one that a person paused. Only what is to be
# measured of an iteration that is over, or failed, is measured all the same: after everything else. A tracker
# is told last of all: nobody here waits for it.
_AT_WORK = (Q(iteration__status__in=OPEN) | Q(iteration=None)) & ~Q(kind=TRACK) & Q(held=False)
_AFTERWARDS = Q(kind=MEASURE, iteration__status__in=ENDED, held=False)
_LAST = Q(kind=TRACK, held=False)
CLAIMABLE = _AT_WORK | _AFTERWARDS | _LAST


class LeaseLost(Exception):
    """Somebody else holds the unit now, or it was cancelled: the results in hand must be dropped."""


class Order(StrEnum):
    """What the heartbeat tells the worker."""

    GO_ON = "go_on"
    STOP = "stop"  # paused or cancelled: give the unit back
    LOST = "lost"  # not ours any more


def units_add(
    *,
    iteration: Iteration,
    kind: str,
    queue: Queue,
    payloads: list[dict[str, Any]],
    totals: list[int] | None = None,
    again: bool = False,
) -> int:
    """Queue one unit per payload. A repeat adds nothing: (iteration, kind, ordinal) is unique.

    With ``again`` further units of the kind may follow once all earlier ones are done.
    """
    earlier = WorkUnit.objects.filter(iteration=iteration, kind=kind)
    in_the_way = earlier.exclude(state=State.DONE) if again else earlier
    if not payloads or in_the_way.exists():
        return 0
    first = earlier.count()
    now = timezone.now()
    WorkUnit.objects.bulk_create(
        [
            WorkUnit(
                project_id=iteration.project_id,
                iteration=iteration,
                stage=iteration.stage,
                kind=kind,
                ordinal=first + i,
                queue=queue,
                payload=payload,
                total=totals[i] if totals else 0,
                announced_at=now,
            )
            for i, payload in enumerate(payloads)
        ],
        ignore_conflicts=True,
    )
    transaction.on_commit(lambda: broker.announce(queue), robust=True)
    return len(payloads)


def evaluation_units_add(*, project: Project, payloads: list[dict[str, Any]]) -> list[WorkUnit]:
    """Evaluation work asked for by itself, outside any iteration."""
    units = WorkUnit.objects.bulk_create(
        [
            WorkUnit(
                project=project,
                stage=Stage.EVALUATE.value,
                kind="evaluate",
                ordinal=i,
                queue=Queue.MODEL,
                payload=payload,
                total=len(payload["prompt_ids"]),
                announced_at=timezone.now(),
            )
            for i, payload in enumerate(payloads)
        ]
    )
    transaction.on_commit(lambda: broker.announce(Queue.MODEL), robust=True)
    return units


def unit_claim(*, queue: str) -> WorkUnit | None:
    """Take the next free unit of a queue, or None. The caller gets a fresh fencing token."""
    now = timezone.now()
    while True:
        with transaction.atomic():
            turns = (_AT_WORK, _AFTERWARDS, _LAST) if queue == Queue.LIGHT else (_AT_WORK,)
            unit = next(filter(None, (_next(queue, which) for which in turns)), None)
            if unit is None:
                return None
            if unit.attempt >= MAX_ATTEMPTS:
                _fail(unit, f"gave up after {unit.attempt} attempts: each worker that took it died")
                continue
            unit.state = State.RUNNING
            unit.attempt += 1
            unit.token = WorkUnit.fresh_token()
            unit.leased_until = now + timedelta(seconds=settings.WORK_UNIT_LEASE)
            unit.started_at = unit.started_at or now
            unit.save(update_fields=["state", "attempt", "token", "leased_until", "started_at"])
        return unit


def _next(queue: str, which: Q) -> WorkUnit | None:
    free = Q(state=State.QUEUED) | Q(state=State.RUNNING, leased_until__lt=timezone.now())
    units = WorkUnit.objects.select_for_update(skip_locked=True, of=("self",))
    return units.filter(which, free, queue=queue).order_by("id").first()


def unit_heartbeat(
    *,
    unit_id: int,
    token: UUID,
    done: int | None = None,
    total: int | None = None,
    message: str | None = None,
    progress: dict[str, Any] | None = None,
) -> Order:
    """Extend the lease and report progress; says whether to go on."""
    changes: dict[str, Any] = {"leased_until": timezone.now() + timedelta(seconds=settings.WORK_UNIT_LEASE)}
    changes |= {
        k: v
        for k, v in {"done": done, "total": total, "message": message, "progress": progress}.items()
        if v is not None
    }
    held = WorkUnit.objects.filter(pk=unit_id, token=token, state=State.RUNNING)
    if not held.update(**changes):
        return Order.LOST
    status, iteration_id, project_id, rests, kind = WorkUnit.objects.values_list(
        "iteration__status", "iteration_id", "project_id", "held", "kind"
    ).get(pk=unit_id)
    if len(changes) > 1:
        notify(project_id=project_id, iteration_id=iteration_id, what="progress")
    wanted = iteration_id is None or status in OPEN or (kind == MEASURE and status in ENDED)
    return Order.GO_ON if wanted and not rests else Order.STOP


@contextmanager
def unit_completion(*, unit_id: int, token: UUID) -> Iterator[WorkUnit]:
    """The transaction in which a unit's results and its completion commit together.

    Raises:
        LeaseLost: the token is not the unit's any more; nothing is written.
    """
    from webapp.iterations.services.machine import iteration_tick

    with transaction.atomic():
        unit = (
            WorkUnit.objects.select_for_update(of=("self",))
            .select_related("iteration__project")
            .get(pk=unit_id)
        )
        if unit.token != token or unit.state != State.RUNNING:
            raise LeaseLost(f"unit {unit_id} was taken over or cancelled")
        yield unit
        unit.state = State.DONE
        unit.leased_until = None
        unit.finished_at = timezone.now()
        unit.done = unit.total = max(unit.total, unit.done)
        unit.save()
        notify(project_id=unit.project_id, iteration_id=unit.iteration_id, what="unit")
        if iteration_id := unit.iteration_id:
            transaction.on_commit(lambda: iteration_tick(iteration_id=iteration_id), robust=True)


def unit_release(*, unit_id: int, token: UUID) -> None:
    """Give a unit back unfinished (pause, shutdown). It does not count as an attempt."""
    WorkUnit.objects.filter(pk=unit_id, token=token, state=State.RUNNING).update(
        state=State.QUEUED,
        token=None,
        leased_until=None,
        attempt=F("attempt") - 1,
        message="",
        announced_at=None,  # the next sweep calls for it
    )


def unit_fail(*, unit_id: int, token: UUID, error: str) -> None:
    """Record that the unit cannot be done; its iteration fails with the same sentence."""
    with transaction.atomic():
        unit = (
            WorkUnit.objects.select_for_update(of=("self",))
            .filter(pk=unit_id, token=token, state=State.RUNNING)
            .first()
        )
        if unit is not None:
            _fail(unit, error)


def _fail(unit: WorkUnit, error: str) -> None:
    unit.state = State.FAILED
    unit.error = error
    unit.finished_at = timezone.now()
    unit.leased_until = None
    unit.save(update_fields=["state", "error", "finished_at", "leased_until"])
    if unit.iteration_id is not None and _stops_the_loop(unit):
        why = f"{unit.stage} ({unit.kind}): {error}"[:2000]
        still_open = Iteration.objects.filter(pk=unit.iteration_id, status__in=OPEN)
        if still_open.update(status=Status.FAILED.value, problem=why):
            failed.send(sender=Iteration, iteration=Iteration.objects.get(pk=unit.iteration_id), why=why)
    notify(project_id=unit.project_id, iteration_id=unit.iteration_id, what="failed")


def _stops_the_loop(unit: WorkUnit) -> bool:
    """Whether its failure fails the iteration. A figure does not, unless the gate waits for it."""
    return unit.kind != MEASURE or unit.stage == Stage.EVALUATE.value


def units_sweep() -> int:
    """Send the wake-up again for what is still queued or whose lease ran out. Returns how many queues."""
    now = timezone.now()
    free = Q(state=State.QUEUED) | Q(state=State.RUNNING, leased_until__lt=now)
    unheard = Q(announced_at__lt=now - REANNOUNCE_AFTER) | Q(announced_at=None)
    queues = set(WorkUnit.objects.filter(CLAIMABLE, free, unheard).values_list("queue", flat=True))
    for queue in queues:
        WorkUnit.objects.filter(free, queue=queue).update(announced_at=now)
        broker.announce(queue)
    return len(queues)


POINT = ("total_steps", "loss", "learning_rate", "tokens_per_s", "padding_share", "mfu", "seconds", "extra")


def points_add(*, unit_id: int, points: Sequence[Mapping[str, Any]]) -> None:
    """Points of the live training curve; a step that is told again replaces its old point. The unit shows the
    latest: the last of a run come after its last heartbeat.

    Each point has ``step`` and any of `POINT`; further keys are ignored.
    """
    latest = {point["step"]: point for point in points}  # one statement must not touch a row twice
    RunPoint.objects.bulk_create(
        [
            RunPoint(unit_id=unit_id, step=step, **{k: point[k] for k in POINT if k in point})
            for step, point in sorted(latest.items())
        ],
        update_conflicts=True,
        unique_fields=["unit", "step"],
        update_fields=POINT,
    )
    if points:
        last = points[-1]
        WorkUnit.objects.filter(pk=unit_id).update(progress=dict(last), done=last["step"])

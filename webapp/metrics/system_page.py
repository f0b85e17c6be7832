"""What the system page shows of the work: who works, what waits, what failed.

Read from rows that workers, services and the scheduler keep, through partial indexes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Count, F, Min, Q
from django.utils.translation import gettext as _

from webapp.annotate.models import Assignment, Regeneration
from webapp.iterations.models import Queue, WorkUnit
from webapp.iterations.services.units import CLAIMABLE
from webapp.metrics.charts.spark import Spark, sparkline
from webapp.metrics.models import WorkerBeat

GONE_AFTER = timedelta(seconds=60)
STUCK_AFTER = timedelta(minutes=2)  # a lease that ran out is taken up by the next worker that looks
SLOW_AFTER = timedelta(minutes=10)  # what waits longer deserves a word
MOST_LEASES = 20
MOST_FAILED = 8
MOST_RUNS = 5
SCHEDULER = "scheduler"
State = WorkUnit.State


@dataclass(frozen=True, slots=True)
class Device:
    """An accelerator as the worker that looked last saw it. ``share``: of its memory."""

    name: str
    used: int | None
    total: int | None
    utilisation: float | None

    @property
    def share(self) -> float | None:
        return self.used / self.total if self.used is not None and self.total else None


@dataclass(frozen=True, slots=True)
class Worker:
    """``processor`` and ``device``: their shares over the last hour, a point a minute."""

    beat: WorkerBeat
    alive: bool
    processor: Spark | None
    device: Spark | None


@dataclass(frozen=True, slots=True)
class Host:
    """The devices of one machine; every worker there sees the same."""

    name: str
    devices: list[Device]


@dataclass(frozen=True, slots=True)
class QueueStanding:
    """Units of one queue. ``resting``: of iterations that are paused, failed or over; nobody may take them.
    ``expired``: running by their rows, with a lease that ran out."""

    queue: str
    workers: int
    waiting: int
    resting: int
    running: int
    expired: int
    again: int  # running on a second or later attempt
    oldest: float | None  # seconds
    stuck: bool

    @property
    def unserved(self) -> bool:
        return self.waiting > 0 and self.workers == 0


@dataclass(frozen=True, slots=True)
class Leases:
    """People's claims on tasks: live, and run out without having been swept yet."""

    live: int
    expired: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something to act on. ``level``: bad or warn."""

    level: str
    text: str


class Now:
    """What changes by the second: the page's live part."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    @cached_property
    def workers(self) -> list[Worker]:
        """Alive ones first, in the order of the queues; then those that did not say goodbye."""
        order = {name: i for i, name in enumerate([*Queue.values, SCHEDULER])}
        beats = WorkerBeat.objects.select_related("unit__iteration", "unit__project")
        workers = [self._worker(beat) for beat in beats.order_by("host", "pid")]
        return sorted(workers, key=lambda w: (not w.alive, order.get(w.beat.queue, 9)))

    def _worker(self, beat: WorkerBeat) -> Worker:
        said = [*beat.recent]
        label = _("Share of the processors over the last hour")
        device = _("Utilisation of the accelerators over the last hour")
        return Worker(
            beat=beat,
            alive=beat.seen_at >= self.now - GONE_AFTER,
            processor=sparkline([(p[1], None, None) for p in said], label, (0.0, 1.0)),
            device=sparkline([(p[2], None, None) for p in said], device, (0.0, 1.0)),
        )

    @cached_property
    def hosts(self) -> list[Host]:
        """Machines with accelerators, each as seen last by a live worker."""
        latest: dict[str, WorkerBeat] = {}
        for worker in self.workers:
            beat = worker.beat
            known = latest.get(beat.host)
            if worker.alive and beat.devices and (known is None or known.seen_at < beat.seen_at):
                latest[beat.host] = beat
        return [Host(name, [_device(d) for d in beat.devices]) for name, beat in sorted(latest.items())]

    @cached_property
    def queues(self) -> list[QueueStanding]:
        queued = WorkUnit.objects.filter(state=State.QUEUED).order_by().values("queue")
        waiting = {
            row["queue"]: row
            for row in queued.annotate(
                n=Count("pk", filter=CLAIMABLE), all=Count("pk"), oldest=Min("created_at", filter=CLAIMABLE)
            )
        }
        held = WorkUnit.objects.filter(state=State.RUNNING).order_by().values("queue")
        running = {
            row["queue"]: row
            for row in held.annotate(
                n=Count("pk"),
                again=Count("pk", filter=Q(attempt__gt=1)),
                expired=Count("pk", filter=Q(leased_until__lt=self.now)),
                stuck=Count("pk", filter=Q(leased_until__lt=self.now - STUCK_AFTER) & CLAIMABLE),
            )
        }
        return [self._queue(name, waiting.get(name, {}), running.get(name, {})) for name in Queue.values]

    def _queue(self, name: str, waiting: Mapping[str, Any], running: Mapping[str, Any]) -> QueueStanding:
        oldest = waiting.get("oldest")
        serving = [w for w in self.workers if w.alive and w.beat.queue in (name, "several")]
        return QueueStanding(
            queue=name,
            workers=len(serving),
            waiting=waiting.get("n", 0),
            resting=waiting.get("all", 0) - waiting.get("n", 0),
            running=running.get("n", 0),
            expired=running.get("expired", 0),
            again=running.get("again", 0),
            oldest=(self.now - oldest).total_seconds() if oldest else None,
            stuck=bool(running.get("stuck")),
        )

    @cached_property
    def leases(self) -> list[WorkUnit]:
        """Units at work, those whose lease ends first before the others."""
        held = WorkUnit.objects.filter(state=State.RUNNING).select_related("iteration", "project")
        return list(held.order_by("leased_until")[:MOST_LEASES])

    @cached_property
    def failed(self) -> list[WorkUnit]:
        units = WorkUnit.objects.filter(state=State.FAILED).select_related("iteration", "project")
        return list(units.order_by(F("finished_at").desc())[:MOST_FAILED])

    @cached_property
    def claims(self) -> Leases:
        live = Assignment.objects.filter(state=Assignment.State.ACTIVE)
        found = live.aggregate(n=Count("pk"), late=Count("pk", filter=Q(lease_until__lt=self.now)))
        return Leases(found["n"] - found["late"], found["late"])

    @cached_property
    def asking(self) -> int:
        """People who wait for alternatives from a model."""
        return Regeneration.objects.filter(state__in=["queued", "running"]).count()

    @cached_property
    def troubles(self) -> list[Trouble]:
        """What needs a look, worst first."""
        found = []
        if not any(w.alive and w.beat.queue == SCHEDULER for w in self.workers):
            found.append(
                Trouble("bad", _("No scheduler reports: iterations do not move on. Start ./run up again."))
            )
        for queue in self.queues:
            found += _queue_troubles(queue)
        day = self.now - timedelta(days=1)
        failed = sum(1 for unit in self.failed if unit.finished_at and unit.finished_at > day)
        if failed:
            more = "+" if failed == MOST_FAILED else ""
            found.append(
                Trouble("warn", _("Units that failed in the last day: %(n)s") % {"n": f"{failed}{more}"})
            )
        return sorted(found, key=lambda trouble: trouble.level != "bad")


def _queue_troubles(queue: QueueStanding) -> Iterable[Trouble]:
    said = {"queue": queue.queue, "n": queue.waiting}
    if queue.unserved:
        yield Trouble("bad", _("Nobody serves the queue “%(queue)s”, and %(n)s units wait there.") % said)
    elif queue.oldest is not None and queue.oldest > SLOW_AFTER.total_seconds() and not queue.running:
        yield Trouble("warn", _("The queue “%(queue)s” stands still: units wait and none is at work.") % said)
    if queue.stuck:
        yield Trouble(
            "bad", _("A lease in the queue “%(queue)s” ran out and nobody took the unit up.") % said
        )


def _device(said: Mapping[str, Any]) -> Device:
    return Device(said["name"], said["memory_used"], said["memory_total"], said["utilisation"])


def runs_lately() -> list[WorkUnit]:
    """The latest training runs, each with its last point (``progress``: tokens_per_s, mfu, loss, step)."""
    units = WorkUnit.objects.filter(queue=Queue.TRAIN).select_related("iteration", "project")
    return list(units.order_by("-id")[:MOST_RUNS])

"""What Prometheus is told: read when it asks, in a fixed number of queries, nothing kept between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Sum
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from loop.stages import OPEN, Status
from webapp.annotate.models import DayCount
from webapp.iterations.models import Iteration, Queue, WorkUnit
from webapp.iterations.services.units import CLAIMABLE
from webapp.metrics.models import Alarm, MetricValue, WorkerBeat
from webapp.metrics.system_page import GONE_AFTER

NOT_OVER = [*(status.value for status in OPEN), Status.PAUSED.value, Status.FAILED.value]
State = WorkUnit.State


def _gauge(name: str, says: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"whetstone_{name}", says, labels=labels)


def _counter(name: str, says: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"whetstone_{name}", says, labels=labels)


class Whetstone(Collector):
    """Every family of this server. Asked anew for each scrape."""

    def describe(self) -> Iterable[Metric]:
        return []  # so that registering it reads nothing

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        yield from _values()
        yield from _alarms()
        yield from _iterations()
        yield from _queues(now)
        yield from _units()
        yield from _workers(now)
        yield from _answers()


def _values() -> Iterator[Metric]:
    """The latest of each metric of each project. A control arm is an experiment, not how the project does."""
    labels = ("project", "metric", "source")
    families = {
        "value": _gauge("metric", "Latest value of an iteration metric.", *labels),
        "low": _gauge("metric_low", "Lower end of its 95 % interval.", *labels),
        "high": _gauge("metric_high", "Upper end of its 95 % interval.", *labels),
        "iteration__number": _gauge("metric_iteration", "The iteration it was measured of.", *labels),
    }
    latest = (
        MetricValue.objects.filter(iteration__arm=Iteration.Arm.MAIN, model_version=None, value__isnull=False)
        .order_by("project", "name", "-iteration__number")
        .distinct("project", "name")
        .values("project__slug", "name", *families)
    )
    for row in latest:
        metric, _, source = row["name"].partition(":")
        for field, family in families.items():
            if row[field] is not None:
                family.add_metric([row["project__slug"], metric, source], row[field])
    yield from families.values()


def _alarms() -> Iterator[Metric]:
    family = _gauge("alarms_open", "Alarms that nobody has dealt with yet.", "project", "level")
    open_ones = Alarm.objects.filter(seen_at=None).values_list("project__slug", "level")
    for slug, level, n in open_ones.annotate(Count("id")).order_by():
        family.add_metric([slug, level], n)
    yield family


def _iterations() -> Iterator[Metric]:
    family = _gauge(
        "iteration_open", "Number of the iteration that is not over.", "project", "stage", "status"
    )
    rows = Iteration.objects.filter(status__in=NOT_OVER).order_by("number")
    # A project may have failed ones beside the one that is at work: the last counts.
    latest = {row[0]: row for row in rows.values_list("project__slug", "stage", "status", "number")}
    for slug, stage, status, number in latest.values():
        family.add_metric([slug, stage, status], number)
    yield family


def _queues(now: datetime) -> Iterator[Metric]:
    """Every queue is named, also an empty one: an alert on what is absent never fires."""
    waiting = _gauge("queue_waiting", "Work units that may be claimed.", "queue")
    running = _gauge("queue_running", "Work units that a worker holds.", "queue")
    oldest = _gauge("queue_oldest_seconds", "How long the first of those waiting has waited.", "queue")
    queued = {
        row["queue"]: row
        for row in WorkUnit.objects.filter(CLAIMABLE, state=State.QUEUED)
        .values("queue")
        .annotate(n=Count("id"), first=Min("created_at"))
        .order_by()
    }
    held = WorkUnit.objects.filter(state=State.RUNNING).values_list("queue").annotate(Count("id")).order_by()
    at_work = dict(held)
    for queue in Queue.values:
        row = queued.get(queue)
        waiting.add_metric([queue], row["n"] if row else 0)
        running.add_metric([queue], at_work.get(queue, 0))
        oldest.add_metric([queue], max(0.0, (now - row["first"]).total_seconds()) if row else 0)
    yield from (waiting, running, oldest)


def _units() -> Iterator[Metric]:
    finished = _counter("units_finished", "Work units done.", "kind")
    failed = _gauge("units_failed", "Work units that failed and were not retried.", "kind")
    ended = WorkUnit.objects.filter(state__in=[State.DONE, State.FAILED])
    for kind, state, n in ended.values_list("kind", "state").annotate(Count("id")).order_by():
        (finished if state == State.DONE else failed).add_metric([kind], n)
    yield from (finished, failed)


def _workers(now: datetime) -> Iterator[Metric]:
    alive = _gauge("workers", "Worker processes heard of within a minute.", "queue")
    own = ("worker", "queue")
    memory = _gauge("worker_memory_bytes", "Memory of a worker and its children.", *own)
    done = _counter("worker_units", "Units that a worker ended since it started.", *own, "outcome")
    device = ("host", "device", "name")
    used = _gauge("device_memory_used_bytes", "Memory in use on an accelerator.", *device)
    total = _gauge("device_memory_total_bytes", "Memory of an accelerator.", *device)
    busy = _gauge("device_utilisation", "Share of time that an accelerator computes, 0 to 1.", *device)
    beats = list(WorkerBeat.objects.filter(seen_at__gte=now - GONE_AFTER).defer("recent").order_by("seen_at"))
    counts = dict.fromkeys(Queue.values, 0)
    devices: dict[tuple[str, str, str], dict[str, Any]] = {}  # two workers of a host tell of the same ones
    for beat in beats:
        counts[beat.queue] = counts.get(beat.queue, 0) + 1
        memory.add_metric([beat.name, beat.queue], beat.memory)
        done.add_metric([beat.name, beat.queue, "done"], beat.done)
        done.add_metric([beat.name, beat.queue, "failed"], beat.failed)
        for i, told in enumerate(beat.devices):
            devices[beat.host, str(i), str(told.get("name", ""))] = told
    for queue, n in counts.items():
        alive.add_metric([queue], n)
    for key, told in devices.items():
        for field, family in (("memory_used", used), ("memory_total", total), ("utilisation", busy)):
            if told.get(field) is not None:
                family.add_metric(list(key), told[field])
    yield from (alive, memory, done, used, total, busy)


def _answers() -> Iterator[Metric]:
    answers = _counter("answers", "Annotation tasks that people answered.", "project")
    seconds = _counter("answer_seconds", "Time that people spent on them.", "project")
    days = DayCount.objects.values_list("project__slug").annotate(Sum("answers"), Sum("seconds")).order_by()
    for slug, n, time in days:
        answers.add_metric([slug], n)
        seconds.add_metric([slug], time)
    yield from (answers, seconds)

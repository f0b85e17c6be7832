"""A worker's beat: what it says, with a database that goes away, at a clean end, and of which devices."""

import subprocess
from types import SimpleNamespace

import pytest
from celery.signals import worker_ready, worker_shutdown
from django.db import OperationalError

from tests.webapp.iterations import support
from webapp.iterations.services import unit_claim
from webapp.metrics.models import WorkerBeat
from workers import accelerators, beat
from workers.accelerators import accelerators_parse, accelerators_read
from workers.stages import generate
from workers.tasks import work

H200 = "NVIDIA H200, 1024, 143771, 37\nNVIDIA H200, 0, 143771, 0\n"  # as the command says it
MIG = "NVIDIA H100 80GB HBM3, 512, 81559, [N/A]\n"
TOLD = {"name": "NVIDIA H200", "memory_used": 1 << 30, "memory_total": 143771 << 20, "utilisation": 0.37}


class Consumer:
    """Celery's, as far as a receiver of its signals looks at it."""

    def __init__(self, app):
        self.app = app


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def one(queue="model", **values):
    clock = Clock()
    made = beat.Beat(queue, read=lambda: [TOLD], clock=clock, counts=beat.Counts(), host="here", **values)
    return made, clock


def test_what_the_command_says_of_each_device():
    first, second = accelerators_parse(H200)
    assert first == TOLD
    assert (second["memory_used"], second["utilisation"]) == (0, 0.0)
    (sliced,) = accelerators_parse(MIG)
    assert (sliced["memory_used"], sliced["utilisation"]) == (512 << 20, None)
    assert accelerators_parse("No devices were found\n") == []


def test_without_the_command_or_with_a_broken_one_there_is_no_device(monkeypatch):
    monkeypatch.setattr(accelerators.shutil, "which", lambda _: None)
    assert accelerators_read() == []
    monkeypatch.setattr(accelerators.shutil, "which", lambda _: "/bin/nvidia-smi")

    def slow(*_, **__):
        raise subprocess.TimeoutExpired("nvidia-smi", 5)

    monkeypatch.setattr(accelerators.subprocess, "run", slow)
    assert accelerators_read() == []


@pytest.mark.django_db
def test_it_says_what_it_does_and_needs_in_one_row():
    made, clock = one()
    made.counts.add(done=3, failed=1)
    with made.counts.working(77):
        made.beat()
    clock.now += 10
    made.beat()
    row = WorkerBeat.objects.get()
    assert (row.name, row.queue, row.done, row.failed, row.unit_id) == (
        f"model@here:{made.pid}", "model", 3, 1, None,
    )  # fmt: skip
    assert row.memory > 1 << 20
    assert row.devices == [TOLD]
    assert (row.started_at.timestamp(), row.seen_at.timestamp()) == (1_000_000.0, 1_000_010.0)


@pytest.mark.django_db
def test_a_point_a_minute_for_an_hour(django_assert_num_queries, monkeypatch):
    made, clock = one()
    monkeypatch.setattr(beat, "worker_beat", lambda **_: None)
    monkeypatch.setattr(beat, "_family_sum", lambda *_: 0.0)
    for _ in range(6 * 65):
        made.beat()
        clock.now += 10
    monkeypatch.undo()
    with django_assert_num_queries(1):
        made.beat()
    recent = WorkerBeat.objects.get().recent
    assert len(recent) == 60
    assert recent[-1][0] - recent[0][0] == 59 * 60
    assert recent[0][2:] == [0.37, 1 << 30]


def test_the_processor_share_is_of_all_processors(monkeypatch):
    made, clock = one()
    monkeypatch.setattr(beat.psutil, "cpu_count", lambda: 4)
    monkeypatch.setattr(made, "_processor", lambda: made._spent + 120)  # two processors for a minute
    clock.now += 60
    assert made._point(clock.now, []) == [round(clock.now), 0.5, None, None]


@pytest.mark.django_db
def test_a_worker_without_a_model_asks_for_no_device():
    made, _ = one("light")
    made.read = lambda: pytest.fail("asked")
    made.beat()
    assert WorkerBeat.objects.get().devices == []


def test_a_database_that_is_away_stops_nothing(monkeypatch):
    made, _ = one()
    tried = []

    def away(**_):
        tried.append(1)
        raise OperationalError("gone")

    monkeypatch.setattr(beat, "worker_beat", away)
    monkeypatch.setattr(beat, "worker_leave", away)
    made._try(made.beat)
    made.stop()
    assert len(tried) == 2


@pytest.mark.django_db(transaction=True)
def test_it_begins_when_celery_is_ready_and_leaves_no_row_at_a_clean_end(monkeypatch):
    told = beat.threading.Event()
    monkeypatch.setattr(beat, "worker_beat", lambda **_: told.set())
    monkeypatch.setattr(beat, "accelerators_read", list)
    WorkerBeat.objects.create(
        name=beat.Beat("light").name, queue="light", host="h", pid=1,
        started_at="2026-01-01T00:00Z", seen_at="2026-01-01T00:00Z",
    )  # fmt: skip
    app = SimpleNamespace(amqp=SimpleNamespace(queues=SimpleNamespace(consume_from={"light": 1})))
    worker_ready.send(sender=Consumer(app))
    assert told.wait(10)
    worker_shutdown.send(sender=None)
    assert not WorkerBeat.objects.exists()
    assert beat._beats == []


@pytest.mark.django_db(transaction=True)
def test_units_are_counted_as_they_end(monkeypatch):
    counts = beat.Counts()
    monkeypatch.setattr(beat, "counts", counts)
    support.start()
    seen = []

    def broken(unit, lease):
        seen.append(counts.unit)
        raise ValueError("no")

    monkeypatch.setattr(generate, "run", broken)
    unit = unit_claim(queue="model")
    work(unit.pk, unit.token, unit.kind)
    assert (seen, counts.unit, counts.done, counts.failed) == ([unit.pk], None, 0, 1)

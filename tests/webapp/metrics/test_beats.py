"""Rows of processes: forgotten after a day, kept by the scheduler; sizes of folders measured beside it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from webapp.metrics.models import StorageUse, WorkerBeat
from webapp.metrics.services.beats import beats_clean, storage_measure, worker_beat
from webapp.schedules.management.commands.scheduler import Command

pytestmark = pytest.mark.django_db


def test_who_was_not_seen_for_a_day_is_forgotten():
    now = timezone.now()
    for pid, age in ((1, timedelta(hours=23)), (2, timedelta(hours=25))):
        worker_beat(
            name=f"light@here:{pid}", queue="light", host="here", pid=pid, started_at=now, seen_at=now - age
        )
    assert beats_clean(now=now) == 1
    assert WorkerBeat.objects.get().pid == 1


def test_the_scheduler_reports_itself_every_ten_seconds():
    command = Command()
    command.report()
    command.report()
    row = WorkerBeat.objects.get()
    assert (row.queue, row.pid) == ("scheduler", command.pid)
    command.report_at = timezone.now()
    command.report()
    assert WorkerBeat.objects.get().seen_at > row.seen_at


def test_folders_are_measured_and_a_missing_one_is_empty(settings, tmp_path):
    settings.ADAPTERS_DIR, settings.RUNS_DIR = tmp_path / "adapters", tmp_path / "runs"
    settings.EXPORTS_DIR = tmp_path / "none"
    (tmp_path / "adapters" / "a").mkdir(parents=True)
    (tmp_path / "runs").mkdir()
    (tmp_path / "adapters" / "a" / "weights").write_bytes(b"x" * 1000)
    (tmp_path / "adapters" / "manifest").write_bytes(b"x" * 24)
    for _ in range(2):
        storage_measure(now=timezone.now())
    assert {row.place: (row.bytes, row.files) for row in StorageUse.objects.all()} == {
        "adapters": (1024, 2),
        "runs": (0, 0),
        "exports": (0, 0),
    }

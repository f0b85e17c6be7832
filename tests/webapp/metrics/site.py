"""A site at work, for tests of the system page: processes, units in every state, storage."""

from datetime import timedelta

from django.utils import timezone

from tests import factories as make
from webapp.iterations.models import RunPoint, WorkUnit
from webapp.metrics.models import StorageUse
from webapp.metrics.services.beats import worker_beat

GPU = {"name": "NVIDIA H200", "memory_used": 61 << 30, "memory_total": 140 << 30, "utilisation": 0.83}
H200S = [GPU, GPU | {"memory_used": 4 << 30, "utilisation": 0.02}]


def beat_make(queue, seconds_ago=3, pid=100, **values):
    now = timezone.now()
    seen = now - timedelta(seconds=seconds_ago)
    worker_beat(
        name=f"{queue}@box:{pid}", queue=queue, host="box", pid=pid,
        started_at=now - timedelta(hours=5), seen_at=seen, **values,
    )  # fmt: skip


def unit_make(project, iteration=None, **values):
    """``hours_ago``: when it was finished."""
    now = timezone.now()
    if (hours := values.pop("hours_ago", None)) is not None:
        values["finished_at"] = now - timedelta(hours=hours)
    defaults = {
        "stage": "generate",
        "kind": "generate",
        "queue": "model",
        "ordinal": WorkUnit.objects.count(),
    }
    return WorkUnit.objects.create(project=project, iteration=iteration, **{**defaults, **values})


def site_make(project=None):
    """Everything on the page: a worker for each queue, one gone, units waiting, at work, done and failed."""
    project = project or make.project_make(name="Word problems")
    open_one = make.iteration_make(project, status="running", stage="generate")
    paused = make.iteration_make(project, status="paused", stage="generate")
    now = timezone.now()
    at_work = unit_make(
        project, open_one, state="running", attempt=2, leased_until=now + timedelta(seconds=40), total=200,
        done=130, started_at=now, token=WorkUnit.fresh_token(),
    )  # fmt: skip
    unit_make(project, open_one)
    unit_make(project, paused)
    for hour in range(24):
        for kind, queue, many in (
            ("generate", "model", hour % 5),
            ("measure", "light", hour % 2),
            ("evaluate", "model", 1),
        ):
            for _ in range(many):
                unit_make(project, open_one, kind=kind, queue=queue, state="done", hours_ago=hour * 0.99)
    trained = unit_make(
        project, open_one, kind="train", queue="train", state="done", hours_ago=2, done=120, total=120,
        started_at=now, progress={"step": 120, "loss": 0.4321, "tokens_per_s": 15400.0, "mfu": 0.38},
    )  # fmt: skip
    RunPoint.objects.create(unit=trained, step=120, total_steps=120, loss=0.4321)
    unit_make(
        project, open_one, state="failed", hours_ago=3, error="RuntimeError: the engine ran out of memory"
    )
    recent = [
        [round(now.timestamp()) - 60 * (59 - i), 0.2 + 0.01 * (i % 30), 0.5 + 0.008 * (i % 50), 61 << 30]
        for i in range(60)
    ]
    beat_make("model", unit_id=at_work.pk, done=412, failed=1, memory=9 << 30, devices=H200S, recent=recent)
    beat_make("train", pid=101, done=3, memory=2 << 30, devices=H200S, recent=recent[-20:])
    beat_make("light", pid=102, done=95, memory=300 << 20, recent=[[0, 0.01, None, None]] * 30)
    beat_make("scheduler", pid=103, memory=90 << 20)
    beat_make("light", pid=90, seconds_ago=4000, memory=200 << 20)
    for place, size in (("adapters", 5 << 30), ("runs", 23 << 30), ("exports", 0)):
        StorageUse.objects.create(place=place, bytes=size, files=120, measured_at=now)
    return project

"""FINETUNE: one training run in a subprocess, its live curve as rows, its adapter in the registry."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings

from loop.finetune.artifacts import store_adapter, verified
from loop.finetune.job import TrainJob
from webapp.curate.services import dataset_rows
from webapp.iterations.selectors import training_of
from webapp.iterations.services import (
    challenger_register,
    points_add,
    run_name,
    run_register,
    unit_completion,
)
from webapp.registry.selectors import adapter_folder
from workers import leaving
from workers.lease import Lease, patiently
from workers.models import base_path
from workers.trainers.supervise import Wish, run_training
from workers.trainers.trouble import full_disk

log = structlog.get_logger()
MAX_DEATHS = 4  # without getting further in between


class TrainingFailed(RuntimeError):
    """The run cannot give an adapter; the message says why."""


def run(unit: Any, lease: Lease) -> None:
    training = training_of(unit)
    folder = _write_input(run_name(unit), unit.project.base, training)

    def on_progress(points: list[dict[str, Any]]) -> None:
        last = points[-1]
        lease.report(done=last["step"], total=last["total_steps"], message="training", progress=last)
        patiently(lambda: points_add(unit_id=unit.pk, points=points))

    lease.report(message="starting the trainer")
    adapter_sha, stored = _stored(_train(folder, on_progress, lease))
    manifest = verified(stored)
    facts: dict[str, Any] = {
        "adapter_path": stored.relative_to(settings.ADAPTERS_DIR).as_posix(),
        "adapter_sha": adapter_sha,
        "hashes": manifest,
        "training": {k: v for k, v in manifest.items() if k != "files"},
    }

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            if held.iteration is None:
                version = run_register(unit=held, **facts)
            else:
                version = challenger_register(iteration=held.iteration, parent=training.start, **facts)
            held.result = {"model": version.name, "model_id": version.pk, "adapter_sha": adapter_sha}

    patiently(write)
    # Input, curve and log stay; the adapter is in the store, so nobody resumes from these any more.
    for spent in ("checkpoints", "checkpoints.tmp"):
        shutil.rmtree(folder / spent, ignore_errors=True)


def _train(folder: Path, on_progress: Callable[[list[dict[str, Any]]], None], lease: Lease) -> Path:
    """Run the trainer until there is an adapter; a trainer that died goes on from its last checkpoint.

    Raises:
        TrainingFailed: bad input, a full disk, or it died too often at one place.
        Stopped, LeaseLost: paused, cancelled or taken over; see `Lease.check`.
    """

    def wish() -> Wish:
        if lease.lost:
            return Wish.KILL
        if leaving.asked():
            return Wish.LEAVE
        return Wish.PAUSE if lease.should_stop else Wish.GO_ON

    deaths, reached, furthest = 0, 0, 0

    def heard(points: list[dict[str, Any]]) -> None:
        nonlocal reached
        reached = max(reached, points[-1]["step"])
        on_progress(points)

    while deaths < MAX_DEATHS:
        result = run_training(folder, on_progress=heard, wish=wish, launch=settings.TRAIN_LAUNCH)
        lease.check()
        if result.adapter is not None:
            return result.adapter
        if result.final:
            raise TrainingFailed(result.message)
        deaths, furthest = (1, reached) if reached > furthest else (deaths + 1, furthest)
        log.warning(
            "the trainer died, going on from its last checkpoint", code=result.code, why=result.message
        )
    raise TrainingFailed(f"the trainer died {MAX_DEATHS} times at one place; last: {result.message}")


def _stored(adapter: Path) -> tuple[str, Path]:
    try:
        return store_adapter(adapter, settings.ADAPTERS_DIR)
    except OSError as error:
        if (sentence := full_disk(error, settings.ADAPTERS_DIR)) is None:
            raise
        raise TrainingFailed(f"{sentence} The finished adapter waits in {adapter}.") from error


def _write_input(name: str, base: str, training: Any) -> Path:
    """Write job.json and rows.jsonl, the same on every attempt; returns the run's folder.

    The folder is named by its input: a run that was killed goes on from its own last checkpoint, and
    never from another's.
    """
    rows = dataset_rows(dataset=training.dataset)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    start = training.start
    job = TrainJob(
        run=name,
        base=base_path(base),
        start_adapter=str(adapter_folder(start)) if start else None,
        finetune=training.finetune,
        seed=training.seed,
        rows_sha256=sha256(lines.encode()).hexdigest(),
    )
    text = job.model_dump_json(indent=1)
    folder: Path = settings.RUNS_DIR / f"{job.run}-{sha256(text.encode()).hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
        (folder / "job.json").write_text(text, encoding="utf-8")
    except OSError as error:
        if (sentence := full_disk(error, folder)) is None:
            raise
        raise TrainingFailed(sentence) from error
    return folder

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
from webapp.iterations.selectors import recipe_of
from webapp.iterations.services import challenger_register, point_add, unit_completion
from workers.lease import Lease, patiently
from workers.models import base_path
from workers.trainers.supervise import run_training

log = structlog.get_logger()
MAX_DEATHS = 4


class TrainingFailed(RuntimeError):
    """The run cannot give an adapter; the message says why."""


def run(unit: Any, lease: Lease) -> None:
    iteration = unit.iteration
    finetune = recipe_of(iteration).finetune
    champion = iteration.champion
    start = champion if finetune.start == "champion" and champion.adapter_path else None
    folder = _write_input(iteration, finetune, start)

    def on_progress(point: dict[str, Any]) -> None:
        lease.report(done=point["step"], total=point["total_steps"], message="training", progress=point)
        patiently(
            lambda: point_add(
                unit_id=unit.pk,
                step=point["step"],
                total_steps=point["total_steps"],
                loss=point.get("loss"),
                learning_rate=point.get("learning_rate"),
                tokens_per_s=point.get("tokens_per_s"),
                seconds=point.get("seconds") or 0.0,
            )
        )

    lease.report(message="starting the trainer")
    adapter_sha, stored = store_adapter(_train(folder, on_progress, lease), settings.ADAPTERS_DIR)
    manifest = verified(stored)

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            assert held.iteration is not None
            version = challenger_register(
                iteration=held.iteration,
                adapter_path=stored.relative_to(settings.ADAPTERS_DIR).as_posix(),
                adapter_sha=adapter_sha,
                hashes=manifest,
                training={k: v for k, v in manifest.items() if k != "files"},
                parent=start,
            )
            held.result = {"model": version.name, "adapter_sha": adapter_sha}

    patiently(write)
    # Input, curve and log stay; the adapter is in the store, so nobody resumes from these any more.
    for spent in ("checkpoints", "checkpoints.tmp"):
        shutil.rmtree(folder / spent, ignore_errors=True)


def _train(folder: Path, on_progress: Callable[[dict[str, Any]], None], lease: Lease) -> Path:
    """Run the trainer until there is an adapter; a trainer that died goes on from its last checkpoint.

    Raises:
        TrainingFailed: bad input, or it died too often.
    """
    for _ in range(MAX_DEATHS):
        result = run_training(folder, on_progress=on_progress, should_stop=lambda: lease.should_stop)
        lease.check()
        if result.adapter is not None:
            return result.adapter
        if result.bad_input:
            raise TrainingFailed(result.message)
        log.warning(
            "the trainer died, going on from its last checkpoint", code=result.code, why=result.message
        )
    raise TrainingFailed(f"the trainer died {MAX_DEATHS} times; last: {result.message}")


def _write_input(iteration: Any, finetune: Any, start: Any) -> Path:
    """Write job.json and rows.jsonl, the same on every attempt; returns the run's folder.

    The folder is named by its input: a run that was killed goes on from its own last checkpoint, and
    never from another's.
    """
    rows = dataset_rows(dataset=iteration.dataset_version)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    job = TrainJob(
        run=f"{iteration.project.slug}-{iteration.number}",
        base=base_path(iteration.project.base),
        start_adapter=str(settings.ADAPTERS_DIR / start.adapter_path) if start else None,
        finetune=finetune,
        seed=iteration.seed,
        rows_sha256=sha256(lines.encode()).hexdigest(),
    )
    text = job.model_dump_json(indent=1)
    folder: Path = settings.RUNS_DIR / f"{job.run}-{sha256(text.encode()).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    (folder / "job.json").write_text(text, encoding="utf-8")
    return folder

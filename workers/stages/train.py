"""FINETUNE: one training run in a subprocess, its live curve as rows, its adapter in the registry."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings

from loop.finetune import TrainJob
from webapp.curate.services import dataset_rows
from webapp.iterations.selectors import recipe_of
from webapp.iterations.services import challenger_register, point_add, unit_completion
from workers.artifacts import store_adapter, verified
from workers.lease import Lease, patiently
from workers.models import base_path
from workers.trainers.supervise import run_training


def run(unit: Any, lease: Lease) -> None:
    iteration = unit.iteration
    finetune = recipe_of(iteration).finetune
    champion = iteration.champion
    start = champion if finetune.start == "champion" and champion.adapter_path else None
    folder = _write_input(iteration, finetune, start)

    def on_progress(point: dict[str, Any]) -> None:
        lease.report(
            done=point["step"], total=point["total_steps"], message="training", progress=point
        )
        patiently(
            lambda: point_add(
                unit_id=unit.pk,
                **{k: point.get(k) for k in ("step", "total_steps", "loss", "learning_rate", "tokens_per_s")},
                seconds=point.get("seconds", 0.0),
            )
        )

    lease.report(message="starting the trainer")
    result = run_training(folder, on_progress=on_progress, should_stop=lambda: lease.should_stop)
    lease.check()
    adapter_sha, stored = store_adapter(result.adapter, settings.ADAPTERS_DIR)
    manifest = verified(stored)

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
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

"""Run folders and rows for the trainer tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loop.finetune.job import TrainJob
from loop.recipe_parts import FinetunePart
from loop.records import Message, RowKind, TrainRow
from workers.trainers.rows import dump_rows


def sft_rows(n: int = 12) -> list[TrainRow]:
    return [
        TrainRow(
            RowKind.SAMPLE,
            f"p{i}",
            (Message("user", f"What is {i} + 4?"),),
            f"{i} + 4 = {i + 4}" + "." * (i % 5),
        )
        for i in range(n)
    ]


def pair_rows(n: int = 12) -> list[TrainRow]:
    return [
        TrainRow(
            RowKind.STEP_PAIR,
            f"p{i}",
            (Message("user", f"What is {i} + 4?"),),
            f" {i + 4}",
            rejected=f" {i + 5}00",
            prefix=f"{i} + 4 =",
            ends=i % 2 == 0,
        )
        for i in range(n)
    ]


def make_run(
    folder: Path, base: Path, rows: list[TrainRow], *, job: dict[str, Any] | None = None, **settings: Any
) -> Path:
    """A run folder ready to train ``rows``; ``settings`` are `FinetunePart`'s, ``job`` `TrainJob`'s."""
    folder.mkdir(parents=True, exist_ok=True)
    sha = dump_rows(rows, folder / "rows.jsonl")
    part = {"epochs": 3, "batch_size": 4, "learning_rate": 0.01, "lora_rank": 4, "lora_alpha": 8} | settings
    made = TrainJob(
        run=folder.name,
        base=str(base),
        finetune=FinetunePart(**part),
        rows_sha256=sha,
        **({"seed": 3, "save_every_steps": 4} | (job or {})),
    )
    (folder / "job.json").write_text(made.model_dump_json(), encoding="utf-8")
    return folder

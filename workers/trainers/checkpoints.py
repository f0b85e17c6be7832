"""Checkpoints that are either whole or not there.

transformers writes a checkpoint file by file into its final folder and trips over a half-written one at
resume. Here it writes aside; the manifest comes last; one rename makes it a checkpoint.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import Trainer

from loop.finetune.artifacts import read_manifest, verify, write_manifest
from workers.trainers.lengths import LikeLengths

KEEP = 2  # the newest, and one more should its disk blocks turn out bad


def aside(run_dir: Path) -> Path:
    """Where a checkpoint is being written."""
    return run_dir / "checkpoints.tmp"


def checkpoints(run_dir: Path) -> list[Path]:
    """Folders that call themselves checkpoints, newest first."""
    found = [p for p in (run_dir / "checkpoints").glob("*") if p.is_dir() and p.name.isdigit()]
    return sorted(found, key=lambda p: -int(p.name))


def newest_checkpoint(run_dir: Path, job_sha: str) -> Path | None:
    """The newest whole checkpoint of this very job; damaged and foreign ones are passed over."""
    for folder in checkpoints(run_dir):
        if not verify(folder) and read_manifest(folder).get("job_sha") == job_sha:
            return folder
    return None


class AtomicCheckpoints(Trainer):
    """Mixed in before a TRL trainer; ``args.output_dir`` is `aside` of ``run_dir``."""

    run_dir: Path
    job_sha: str
    lengths: Sequence[int] = ()  # of the rows; rows of like length are then trained together

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if not any(self.lengths) or self.args.train_sampling_strategy != "random":
            return super()._get_train_sampler(train_dataset)
        per_update = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return LikeLengths(self.lengths, per_update, self.args.seed, lambda: self.state.global_step)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if self.args.should_save:  # of several processes, the first
            shutil.rmtree(self.args.output_dir, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        Trainer._save_checkpoint(self, model, trial)  # not TRL's, which writes a model card each time
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            self._put_in_place()
        self.accelerator.wait_for_everyone()

    def _put_in_place(self) -> None:
        step = self.state.global_step
        written = Path(self.args.output_dir) / f"checkpoint-{step}"
        write_manifest(written, {"step": step, "job_sha": self.job_sha})
        target = self.run_dir / "checkpoints" / str(step)
        target.parent.mkdir(exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)  # a damaged one of the same step
        written.rename(target)
        for old in checkpoints(self.run_dir)[KEEP:]:
            shutil.rmtree(old, ignore_errors=True)

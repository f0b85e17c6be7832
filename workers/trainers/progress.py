"""Live progress: one JSON line per update in ``progress.jsonl``, for whoever watches."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

FILE = "progress.jsonl"
CANCEL = "cancel"


class Cancelled(Exception):
    """Somebody put a file called ``cancel`` into the run folder."""


class Diverged(RuntimeError):
    """The loss is no longer a number."""


def rewind(run_dir: Path, step: int) -> None:
    """Forget progress beyond ``step``, and a torn last line: a resumed run will write those steps again."""
    path, kept = run_dir / FILE, list[str]()
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            continue
    new = path.with_suffix(".tmp")
    new.write_text("".join(kept), encoding="utf-8")
    new.replace(path)


class Progress(TrainerCallback):
    """Writes the lines, and stops the run when asked to or when the loss breaks."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.losses: list[float] = []
        self.trainer: Any = None  # set once the trainer exists
        self._began = 0.0
        self._first = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._began, self._first = time.monotonic(), state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if (self.run_dir / CANCEL).exists():
            raise Cancelled("cancelled: a file called cancel was found in the run folder")

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kw: Any
    ) -> None:
        if not logs or "loss" not in logs:
            return
        loss, seconds = float(logs["loss"]), time.monotonic() - self._began
        if not math.isfinite(loss) or not math.isfinite(float(logs.get("grad_norm", 0.0))):
            raise Diverged(f"the loss is no longer a number at step {state.global_step}; lower learning_rate")
        self.losses.append(loss)
        done = max(1, state.global_step - self._first)
        line = {
            "step": state.global_step,
            "total_steps": state.max_steps,
            "loss": round(loss, 6),
            "learning_rate": logs.get("learning_rate"),
            "tokens_per_s": round(self.trainer.tokens_seen / max(seconds, 1e-9)),
            "seconds": round(seconds, 3),
            "time_left_s": round(seconds / done * (state.max_steps - state.global_step), 1),
            "padding_share": round(1 - self.trainer.tokens_seen / max(1, self.trainer.cells_seen), 4),
        }
        line |= {name: round(float(logs[name]), 4) for name in ("margin", "accuracy") if name in logs}
        with (self.run_dir / FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

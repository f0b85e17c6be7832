"""Live progress: one JSON line per update in ``progress.jsonl``, for whoever watches."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from workers.trainers.flops import flops_per_token, matrix_parameters, measured_peak, peak_flops

FILE = "progress.jsonl"
CANCEL = "cancel"
PAUSE = "pause"
WINDOW = 20  # updates over which the live rates are taken
NOT_EXTRA = {"loss", "learning_rate", "epoch", "num_tokens", "step"}


class Cancelled(Exception):
    """Somebody put a file called ``cancel`` into the run folder."""


class Paused(Exception):
    """Somebody put a file called ``pause`` into the run folder; a checkpoint was written."""


class Diverged(RuntimeError):
    """The loss is no longer a number."""


def rewind(run_dir: Path, step: int) -> dict[str, Any]:
    """Forget progress beyond ``step``, and a torn last line: a resumed run will write those steps again.

    Returns the last line kept, empty when none is.
    """
    path, kept, last = run_dir / FILE, list[str](), dict[str, Any]()
    if not path.is_file():
        return last
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            point = json.loads(line)
            if point["step"] <= step:
                kept.append(line + "\n")
                last = point
        except (ValueError, KeyError, TypeError):
            continue
    new = path.with_suffix(".tmp")
    new.write_text("".join(kept), encoding="utf-8")
    new.replace(path)
    return last


class Progress(TrainerCallback):
    """Writes the lines, and stops the run when asked to or when the loss breaks.

    Of several processes only the first writes; all stop at the same update.
    """

    def __init__(
        self, run_dir: Path, before: dict[str, Any] | None = None, extra_forwards: int | None = 0
    ) -> None:
        """``before`` is the last line of an earlier process of this run, from whose end this one goes on."""
        before = before or {}
        self.run_dir = run_dir
        self.trainer: Any = None  # set once the trainer exists, as is:
        self.rehearse: Callable[[], None] = lambda: None  # tries the memory out before the first update
        self.paused = False
        self.tokens, self.cells = int(before.get("tokens", 0)), int(before.get("cells", 0))
        self.seconds = float(before.get("seconds", 0.0))
        self._extra_forwards = extra_forwards
        self._marks: deque[tuple[int, float, int, int]] = deque(maxlen=WINDOW + 1)
        self._flops, self.peak_from = 0, ""
        self.peak: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.rehearse()
        self._measure(args)
        self._earlier = (self.seconds, self.tokens, self.cells)
        self._began = time.monotonic()
        self._mark(state.global_step)
        self._first = self._marks[0]

    def _measure(self, args: Any) -> None:
        if self._extra_forwards is None:
            return  # no MFU
        self._flops = flops_per_token(
            matrix_parameters(self.trainer.model),
            recomputed=bool(args.gradient_checkpointing or args.activation_checkpointing),
            extra_forwards=self._extra_forwards,
        )
        if args.device.type == "cuda":
            import torch

            peak = peak_flops(torch.cuda.get_device_name(args.device))
            self.peak, self.peak_from = peak and peak * args.world_size, "data sheet"
        else:
            self.peak, self.peak_from = measured_peak() * args.world_size, "measured matrix product"

    def _mark(self, step: int) -> None:
        """Bring the totals up to now. Each process counts its own share of every batch."""
        seconds, tokens, cells = self._earlier
        world = self.trainer.args.world_size
        self.seconds = seconds + time.monotonic() - self._began
        self.tokens = tokens + int(self.trainer.tokens_seen) * world
        self.cells = cells + int(self.trainer.cells_seen) * world
        self._marks.append((step, self.seconds, self.tokens, self.cells))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._asked(args, CANCEL):
            raise Cancelled("cancelled: a file called cancel was found in the run folder")
        if state.global_step < state.max_steps and self._asked(args, PAUSE):
            self.paused = control.should_save = control.should_training_stop = True

    def _asked(self, args: Any, name: str) -> bool:
        """Whether the file is there; the first process looks, so that all decide alike."""
        if args.world_size == 1:
            return (self.run_dir / name).exists()
        from accelerate.utils import broadcast_object_list

        there = [(self.run_dir / name).exists()]
        broadcast_object_list(there)
        return bool(there[0])

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kw: Any
    ) -> None:
        if not logs or "loss" not in logs:
            return
        loss = float(logs["loss"])
        if not math.isfinite(loss) or not math.isfinite(float(logs.get("grad_norm", 0.0))):
            raise Diverged(f"the loss is no longer a number at step {state.global_step}; lower learning_rate")
        if not state.is_world_process_zero:
            return
        self._mark(state.global_step)
        line = {
            "step": state.global_step,
            "total_steps": state.max_steps,
            "loss": round(loss, 6),
            "learning_rate": logs.get("learning_rate"),
            **self.rates(recent=True),
            "seconds": round(self.seconds, 3),
            "time_left_s": round(self._time_left(state), 1),
            "tokens": self.tokens,
            "cells": self.cells,
            "extra": {
                name: round(float(value), 4)
                for name, value in logs.items()
                if name not in NOT_EXTRA and isinstance(value, (int, float))
            },
        }
        with (self.run_dir / FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def rates(self, *, recent: bool = False) -> dict[str, float | None]:
        """tokens/s, MFU and padding share: of the last updates, or since this process began; of the whole run
        where this process found every update done."""
        _, s0, t0, c0 = self._marks[0] if recent else self._first
        _, s1, t1, c1 = self._marks[-1]
        if t1 == t0:
            s0, t0, c0 = 0.0, 0, 0
        speed = (t1 - t0) / max(s1 - s0, 1e-9)
        return {
            "tokens_per_s": round(speed),
            "padding_share": round(1 - (t1 - t0) / max(1, c1 - c0), 4),
            "mfu": round(speed * self._flops / self.peak, 4) if self.peak else None,
        }

    def _time_left(self, state: Any) -> float:
        done = state.global_step - self._first[0]
        each = (self.seconds - self._first[1]) / max(1, done)
        return float(each * (state.max_steps - state.global_step))

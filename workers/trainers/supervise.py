"""Run a trainer in a process of its own and watch it: a crash, a leak or a kill stays there.

Nothing is restarted here: whoever owns the work unit calls again, and the run goes on from its checkpoints.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loop.finetune.artifacts import read_manifest, verify
from workers.trainers.run import BAD_INPUT, CANCELLED, DONE, FAILED

POLL_S = 0.25
GRACE_S = 5.0  # between asking a run to end and killing it


@dataclass(frozen=True)
class TrainResult:
    """How a run ended. ``adapter`` and ``manifest`` are there if and only if ``done``."""

    code: int
    adapter: Path | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""

    @property
    def done(self) -> bool:
        return self.code == DONE

    @property
    def cancelled(self) -> bool:
        return self.code == CANCELLED

    @property
    def bad_input(self) -> bool:
        """Trying again with the same input cannot help."""
        return self.code == BAD_INPUT


def run_training(
    run_dir: Path, on_progress: Callable[[dict[str, Any]], None], should_stop: Callable[[], bool]
) -> TrainResult:
    """Train ``run_dir`` (see `workers.trainers.run`) until it ends, is stopped, or at once if it has ended.

    Args:
        on_progress: called with every new line of ``progress.jsonl``, from this thread.
        should_stop: asked several times a second; true kills the run (its checkpoints stay).
    """
    if (finished := _finished(run_dir)) is not None:
        return finished
    (run_dir / "cancel").unlink(missing_ok=True)
    with (run_dir / "log.txt").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.trainers.run", str(run_dir), f"--die-with={os.getpid()}"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    tail = _Tail(run_dir / "progress.jsonl")
    try:
        while True:
            try:
                code = process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                code = None
            for line in tail.new_lines():
                on_progress(line)
            if code is not None:
                break
            if should_stop():
                return TrainResult(CANCELLED, message="stopped while training; its checkpoints are kept")
    finally:
        _end(process)
    if code == DONE and (finished := _finished(run_dir)) is not None:
        return finished
    return _failed(run_dir, code)


def _finished(run_dir: Path) -> TrainResult | None:
    adapter = run_dir / "adapter"
    if not adapter.is_dir() or verify(adapter):
        return None
    return TrainResult(DONE, adapter, read_manifest(adapter))


def _failed(run_dir: Path, code: int) -> TrainResult:
    error = run_dir / "error.txt"
    if code < 0:
        name = signal.Signals(-code).name
        return TrainResult(
            FAILED, message=f"the training process was ended by {name}; a new start resumes it"
        )
    if error.is_file():
        message = error.read_text(encoding="utf-8").strip()
    else:
        message = f"the training process ended with code {code}; see {run_dir / 'log.txt'}"
    return TrainResult(code if code in (BAD_INPUT, CANCELLED) else FAILED, message=message)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the run's whole process group, gently first. Nothing happens when it has ended by itself."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        deadline = time.monotonic() + GRACE_S
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            continue


class _Tail:
    """Whole new lines of a growing file, which a resumed run may first replace by a shorter one."""

    def __init__(self, path: Path) -> None:
        self.path, self._offset, self._step = path, 0, 0

    def new_lines(self) -> list[dict[str, Any]]:
        if not self.path.is_file():
            return []
        if self.path.stat().st_size < self._offset:
            self._offset = 0
        with self.path.open("rb") as file:
            file.seek(self._offset)
            text, end, _ = file.read().rpartition(b"\n")
        self._offset += len(text) + len(end)
        lines = [line for line in map(json.loads, text.splitlines()) if line["step"] > self._step]
        if lines:
            self._step = lines[-1]["step"]
        return lines

"""Run a trainer in a process of its own and watch it: a crash, a leak or a kill stays there.

Nothing is restarted here: whoever owns the work unit calls again, and the run goes on from its checkpoints.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from loop.finetune.artifacts import read_manifest, verify
from workers.trainers.launch import EXIT_CODE, launch_command
from workers.trainers.run import BAD_INPUT, CANCELLED, DISK_FULL, DONE, FAILED, HOPELESS, PAUSED
from workers.trainers.trouble import full_disk_sentence

POLL_S = 0.25
GRACE_S = 5.0  # between asking a process to end and killing it


class Wish(Enum):
    """What is wanted of a run now. The number: seconds it has to write a checkpoint before it is killed."""

    GO_ON = None
    PAUSE = 900.0  # until the current update is through: minutes, with a large model
    LEAVE = 2.0  # the worker itself has only a moment
    KILL = 0.0


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
        """The input cannot be trained; the message says what is wrong with it."""
        return self.code == BAD_INPUT

    @property
    def paused(self) -> bool:
        return self.code == PAUSED

    @property
    def final(self) -> bool:
        """Trying again as things stand cannot help."""
        return self.code in (BAD_INPUT, DISK_FULL, HOPELESS)


def run_training(
    run_dir: Path,
    on_progress: Callable[[list[dict[str, Any]]], None],
    wish: Callable[[], Wish],
    launch: str = "",
) -> TrainResult:
    """Train ``run_dir`` (see `workers.trainers.run`) until it ends, is stopped, or at once if it has ended.

    Args:
        on_progress: called with the new lines of ``progress.jsonl``, from this thread.
        wish: asked several times a second. To pause is to ask for a checkpoint and wait for it.
        launch: see `workers.trainers.launch.launch_command`.
    """
    if (finished := _finished(run_dir)) is not None:
        return finished
    for old in ("cancel", "pause", EXIT_CODE):
        (run_dir / old).unlink(missing_ok=True)
    try:
        command = launch_command(run_dir, os.getpid(), launch)
    except FileNotFoundError as error:
        return TrainResult(BAD_INPUT, message=str(error))
    with (run_dir / "log.txt").open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    tail = _Tail(run_dir / "progress.jsonl")
    deadline: float | None = None
    try:
        while True:
            try:
                code = process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                code = None
            if lines := tail.new_lines():
                on_progress(lines)
            if code is not None:
                break
            if (patience := wish().value) is not None:
                until = time.monotonic() + patience
                if deadline is None:
                    _ask_to_pause(run_dir)
                deadline = until if deadline is None else min(deadline, until)
                if time.monotonic() >= deadline:
                    return TrainResult(CANCELLED, message="stopped while training; its checkpoints are kept")
    finally:
        _end(process)
    if code == DONE and (finished := _finished(run_dir)) is not None:
        return finished
    return _failed(run_dir, _first_trainers_code(run_dir, code))


def _ask_to_pause(run_dir: Path) -> None:
    with contextlib.suppress(OSError):  # no room even for an empty file: it will be killed
        (run_dir / "pause").touch()


def _first_trainers_code(run_dir: Path, code: int) -> int:
    """The launcher only tells well from ill; the first of its trainers left its own code."""
    try:
        return int((run_dir / EXIT_CODE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return code


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
    message = error.read_text(encoding="utf-8").strip() if error.is_file() else ""
    if not message and code == DISK_FULL:  # which took no sentence either
        message = full_disk_sentence(run_dir)
    message = message or f"the training process ended with code {code}; see {run_dir / 'log.txt'}"
    known = (BAD_INPUT, CANCELLED, PAUSED, DISK_FULL, HOPELESS)
    return TrainResult(code if code in known else FAILED, message=message)


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
        self.path, self._offset, self._step, self._inode = path, 0, 0, 0

    def new_lines(self) -> list[dict[str, Any]]:
        if not self.path.is_file():
            return []
        with self.path.open("rb") as file:
            if (inode := os.fstat(file.fileno()).st_ino) != self._inode:  # replaced, maybe longer by now
                self._inode, self._offset = inode, 0
            file.seek(self._offset)
            text, end, _ = file.read().rpartition(b"\n")
        self._offset += len(text) + len(end)
        lines = [line for line in map(json.loads, text.splitlines()) if line["step"] > self._step]
        if lines:
            self._step = lines[-1]["step"]
        return lines

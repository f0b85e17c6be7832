"""A trainer in a process of its own, watched, stopped, killed and resumed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.workers.training import make_run, sft_rows
from workers.trainers.run import BAD_INPUT, FAILED
from workers.trainers.supervise import Wish, _Tail, run_training

pytestmark = pytest.mark.xdist_group("torch")


def test_a_killed_run_goes_on_and_a_finished_one_returns_at_once(llama: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", llama, sft_rows(), epochs=40, job={"save_every_steps": 5})
    seen: list[dict[str, Any]] = []

    def kill_it() -> Wish:
        if any((run / "checkpoints").glob("*/manifest.json")):
            os.kill(child_of_this_process(), signal.SIGKILL)
        return Wish.GO_ON

    killed = run_training(run, seen.extend, kill_it)
    assert killed.code == FAILED
    assert "ended by SIGKILL" in killed.message
    first = len(seen)
    done = run_training(run, seen.extend, lambda: Wish.GO_ON)
    assert done.done, done.message
    assert done.manifest["steps"] == 120
    assert seen[-1]["step"] == 120
    assert seen[first]["step"] == 1  # what was kept is told again; the step is the key
    assert run_training(run, seen.extend, lambda: Wish.GO_ON) == done


def test_stopping_kills_the_process_and_bad_input_is_told(llama: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", llama, sft_rows())
    stopped = run_training(run, lambda lines: None, lambda: Wish.KILL)
    assert stopped.cancelled
    with pytest.raises(LookupError):
        child_of_this_process()
    (run / "rows.jsonl").unlink()
    refused = run_training(run, lambda lines: None, lambda: Wish.GO_ON)
    assert refused.code == BAD_INPUT
    assert refused.bad_input
    assert "rows.jsonl" in refused.message


def child_of_this_process() -> int:
    """The trainer's process id, from the kernel's list of this process's children."""
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            if b"workers.trainers.run" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
    raise LookupError("no trainer is running")


def test_a_curve_that_was_begun_anew_and_grew_past_the_old_one_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    tail = _Tail(path)

    def line(step: int, room: int) -> str:
        return json.dumps({"step": step, "extra": "." * room}) + "\n"

    path.write_text(line(1, 5) + line(2, 5))
    assert [point["step"] for point in tail.new_lines()] == [1, 2]
    new = tmp_path / "new"  # as `rewind` does, while whoever watches was busy elsewhere
    new.write_text(line(1, 5) + line(2, 90) + line(3, 7))
    new.replace(path)
    assert [point["step"] for point in tail.new_lines()] == [3]

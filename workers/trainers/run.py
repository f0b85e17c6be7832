"""``python -m workers.trainers.run RUN_DIR``: train what ``RUN_DIR/job.json`` and ``rows.jsonl`` say.

The result is ``RUN_DIR/adapter`` with its manifest. Started again after any interruption, it goes on from the
newest whole checkpoint. A file ``RUN_DIR/pause`` has it write a checkpoint at the end of the current update
and end; ``RUN_DIR/cancel`` has it end there without one.

Exit codes: 0 done, 1 it broke (a new start may help), 2 bad input, 3 cancelled, 4 paused, 5 no room on the
disk, 6 it cannot be trained like this; except for 0, one sentence stands in ``RUN_DIR/error.txt`` and on
standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from loop.finetune.artifacts import verify
from loop.finetune.job import TrainJob
from workers.engines.memory import share_the_cpu
from workers.trainers.launch import EXIT_CODE
from workers.trainers.rows import load_rows

DONE, FAILED, BAD_INPUT, CANCELLED, PAUSED, DISK_FULL, HOPELESS = range(7)
PR_SET_PDEATHSIG = 1
LOCK_PATIENCE_S = 30.0  # for a killed worker's trainer to be gone


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.trainers.run", description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--die-with", type=int, metavar="PID", help="stop when this parent process ends")
    parser.add_argument("--leave-code", action="store_true", help=f"write the exit code into {EXIT_CODE}")
    options = parser.parse_args(argv)
    if options.die_with:
        die_with(options.die_with)
    run_dir: Path = options.run_dir.resolve()
    if not run_dir.is_dir():
        print(f"there is no run folder {run_dir}", file=sys.stderr)
        return BAD_INPUT
    code = _run(run_dir)
    if options.leave_code and first_process():
        with contextlib.suppress(OSError):
            (run_dir / EXIT_CODE).write_text(str(code), encoding="utf-8")
    return code


def _run(run_dir: Path) -> int:
    if not first_process():  # of several, one locks, clears and reports
        return _train(run_dir)
    try:
        with _alone(run_dir):
            (run_dir / "error.txt").unlink(missing_ok=True)
            if (run_dir / "adapter").is_dir() and not verify(run_dir / "adapter"):
                return DONE
            return _train(run_dir)
    except TimeoutError as error:
        return _fail(run_dir, FAILED, str(error))


def first_process() -> bool:
    """Whether this is the only process of the run, or the first of several that accelerate launched."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def _alone(run_dir: Path) -> Iterator[None]:
    """Hold the run folder: two trainers in it would write over each other's checkpoints.

    Raises:
        TimeoutError: another process is still at it.
    """
    with (run_dir / "lock").open("a") as file:
        deadline = time.monotonic() + LOCK_PATIENCE_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"another process is training in {run_dir}") from error
                time.sleep(0.2)
        yield


def _train(run_dir: Path) -> int:
    try:
        job = TrainJob.model_validate_json((run_dir / "job.json").read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        return _fail(run_dir, BAD_INPUT, f"job.json: {'.'.join(map(str, first['loc']))}: {first['msg']}")
    except OSError as error:
        return _fail(run_dir, BAD_INPUT, f"job.json cannot be read: {error.strerror}")
    try:
        rows = load_rows(run_dir / "rows.jsonl", job.rows_sha256)
        _quiet(job)
        share_the_cpu()
        from workers.trainers.progress import Cancelled, Diverged, Paused
        from workers.trainers.train import Run
        from workers.trainers.trouble import DiskFull

        run = Run(run_dir, job, rows)
    except (ValueError, OSError) as error:
        return _fail(run_dir, BAD_INPUT, str(error))
    try:
        run.train()
    except (Cancelled, Paused, DiskFull, Diverged, MemoryError) as stop:
        codes = {Cancelled: CANCELLED, Paused: PAUSED, DiskFull: DISK_FULL}
        return _fail(run_dir, codes.get(type(stop), HOPELESS), str(stop) or type(stop).__name__)
    except Exception as error:  # of several libraries: whoever watches reads a sentence, the log has the rest
        import traceback

        traceback.print_exc()
        name = "" if isinstance(error, (RuntimeError, OSError)) else f"{type(error).__name__}: "
        return _fail(run_dir, FAILED, f"{name}{error}" if str(error) else type(error).__name__)
    return DONE


def _quiet(job: TrainJob) -> None:
    """No progress bars, no look-ups on the network for a base that lies here, no thread-fork warnings."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    if Path(job.base).is_dir():
        os.environ.setdefault("HF_HUB_OFFLINE", "1")


def _fail(run_dir: Path, code: int, message: str) -> int:
    sentence = " ".join(message.split())
    with contextlib.suppress(OSError):  # a full disk takes neither; the exit code says it then
        if first_process():
            (run_dir / "error.txt").write_text(f"{sentence}\n", encoding="utf-8")
        print(sentence, file=sys.stderr)
    return code


def die_with(parent: int) -> None:
    """Have the kernel stop this process with its parent: a killed worker must leave no trainer behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was asked
        sys.exit(CANCELLED)


if __name__ == "__main__":
    code = main()
    if code == DISK_FULL:
        os._exit(code)  # flushing what a full disk did not take would turn the code into another
    sys.exit(code)

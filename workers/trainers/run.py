"""``python -m workers.trainers.run RUN_DIR``: train what ``RUN_DIR/job.json`` and ``rows.jsonl`` say.

The result is ``RUN_DIR/adapter`` with its manifest. Started again after any interruption, it goes on from the
newest whole checkpoint. Exit codes: 0 done, 2 bad input, 3 cancelled, 1 anything else; except for 0, one
sentence stands in ``RUN_DIR/error.txt`` and on standard error.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path

from pydantic import ValidationError

from loop.finetune.artifacts import verify
from loop.finetune.job import TrainJob
from workers.engines.memory import share_the_cpu
from workers.trainers.rows import load_rows

DONE, FAILED, BAD_INPUT, CANCELLED = 0, 1, 2, 3
PR_SET_PDEATHSIG = 1


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.trainers.run", description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--die-with", type=int, metavar="PID", help="stop when this parent process ends")
    options = parser.parse_args(argv)
    if options.die_with:
        _die_with(options.die_with)
    run_dir: Path = options.run_dir.resolve()
    if not run_dir.is_dir():
        print(f"there is no run folder {run_dir}", file=sys.stderr)
        return BAD_INPUT
    (run_dir / "error.txt").unlink(missing_ok=True)
    if (run_dir / "adapter").is_dir() and not verify(run_dir / "adapter"):
        return DONE
    return _train(run_dir)


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
        from workers.trainers.progress import Cancelled
        from workers.trainers.train import Run

        run = Run(run_dir, job, rows)
    except (ValueError, OSError) as error:
        return _fail(run_dir, BAD_INPUT, str(error))
    try:
        run.train()
    except Cancelled as stop:
        return _fail(run_dir, CANCELLED, str(stop))
    except (RuntimeError, MemoryError, OSError) as error:
        import traceback

        traceback.print_exc()
        return _fail(run_dir, FAILED, str(error) or type(error).__name__)
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
    (run_dir / "error.txt").write_text(sentence + "\n", encoding="utf-8")
    print(sentence, file=sys.stderr)
    return code


def _die_with(parent: int) -> None:
    """Have the kernel stop this process with its parent: a killed worker must leave no trainer behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was asked
        sys.exit(CANCELLED)


if __name__ == "__main__":
    sys.exit(main())

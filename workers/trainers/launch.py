"""How a run's process is started: directly, or by accelerate on several devices.

``python -m workers.trainers.launch RUN_DIR --die-with PID CONFIG`` is the process between the supervisor and
accelerate's: it ends with the supervisor, and the trainers end with it. accelerate's own exit code only tells
well from ill, so the first trainer's is left in ``RUN_DIR/exit_code``.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

FSDP = Path(__file__).parent / "accelerate" / "fsdp.yaml"
EXIT_CODE = "exit_code"
TRAINER = "workers.trainers.run"


def launch_command(run_dir: Path, parent: int, launch: str = "", devices: int | None = None) -> list[str]:
    """The command that trains ``run_dir`` and ends with process ``parent``.

    ``launch``: empty, one process; the path of an accelerate config, what it says; "auto", the FSDP config
    that is shipped, on all ``devices`` (counted when None) if there are several.

    Raises:
        FileNotFoundError: no such config.
    """
    if launch == "auto":
        devices = visible_devices() if devices is None else devices
        launch = str(FSDP) if devices > 1 else ""
    else:
        devices = None
    if not launch:
        return [sys.executable, "-m", TRAINER, str(run_dir), f"--die-with={parent}"]
    if not Path(launch).is_file():
        raise FileNotFoundError(f"WHETSTONE_TRAIN_LAUNCH names {launch}, and there is no such file")
    count = [f"--processes={devices}"] if devices else []
    return [
        sys.executable,
        "-m",
        "workers.trainers.launch",
        str(run_dir),
        f"--die-with={parent}",
        *count,
        launch,
    ]


def visible_devices() -> int:
    """How many NVIDIA devices this process may use, without importing torch."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return len([name for name in allowed.split(",") if name.strip() not in ("", "-1")])
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


def accelerate_words(run_dir: Path, parent: int, config: str, processes: int | None = None) -> list[str]:
    """What ``accelerate launch`` is told."""
    count = ["--num_processes", str(processes)] if processes else []
    trainer = [TRAINER, str(run_dir), f"--die-with={parent}", "--leave-code"]
    return ["--config_file", config, *count, "--module", *trainer]


def main(argv: list[str] | None = None) -> None:
    from accelerate.commands.launch import launch_command as start
    from accelerate.commands.launch import launch_command_parser

    from workers.trainers.run import die_with

    parser = argparse.ArgumentParser(prog="python -m workers.trainers.launch", description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--die-with", type=int, required=True)
    parser.add_argument("--processes", type=int)
    parser.add_argument("config")
    options = parser.parse_args(argv)
    die_with(options.die_with)
    words = accelerate_words(options.run_dir, os.getpid(), options.config, options.processes)
    start(launch_command_parser().parse_args(words))


if __name__ == "__main__":
    main()

"""How a run's process is started: the command, and what accelerate makes of it. Launched: tests/chaos."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from workers.trainers.launch import FSDP, accelerate_words, launch_command, visible_devices

pytestmark = pytest.mark.xdist_group("torch")
RUN = Path("/runs/demo-1")
DIRECT = [sys.executable, "-m", "workers.trainers.run", "/runs/demo-1", "--die-with=7"]


@pytest.mark.parametrize(("launch", "devices"), [("", None), ("auto", 0), ("auto", 1)])
def test_one_device_needs_no_launcher(launch: str, devices: int | None) -> None:
    assert launch_command(RUN, 7, launch, devices) == DIRECT


def test_auto_launches_the_shipped_config_on_all_devices() -> None:
    command = launch_command(RUN, 7, "auto", 4)
    assert command[1:] == [
        "-m",
        "workers.trainers.launch",
        "/runs/demo-1",
        "--die-with=7",
        "--processes=4",
        str(FSDP),
    ]


def test_a_config_of_ones_own_says_how_many_processes(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    with pytest.raises(FileNotFoundError, match="WHETSTONE_TRAIN_LAUNCH names"):
        launch_command(RUN, 7, str(config))
    config.write_text("num_processes: 2\n")
    assert launch_command(RUN, 7, str(config), 4)[3:] == [str(RUN), "--die-with=7", str(config)]


def test_devices_are_counted_as_the_process_may_see_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for names, count in (("0,1,2", 3), ("", 0), ("-1", 0), ("GPU-a", 1)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", names)
        assert visible_devices() == count


def test_accelerate_understands_the_shipped_config_and_the_words() -> None:
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    words = accelerate_words(RUN, 7, str(FSDP), 4)
    args = launch_command_parser().parse_args(words)
    args, _, _ = _validate_launch_command(args)
    assert (args.use_fsdp, args.num_processes, args.mixed_precision) == (True, 4, "bf16")
    assert (args.module, args.training_script) == (True, "workers.trainers.run")
    assert args.training_script_args == ["/runs/demo-1", "--die-with=7", "--leave-code"]
    assert args.fsdp_use_orig_params is True
    assert args.fsdp_auto_wrap_policy == "TRANSFORMER_BASED_WRAP"
    written = yaml.safe_load(FSDP.read_text())
    assert load_config_from_file(str(FSDP)).fsdp_config == written["fsdp_config"]

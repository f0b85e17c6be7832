"""Objectives whose updates depend on more than the rows go on exactly where they were stopped."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.workers.objectives.support import outcome, sample
from tests.workers.training import make_run

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]


@pytest.mark.parametrize(
    ("rows", "settings"),
    [
        ([sample(i) for i in range(9)], {"mask_inputs": 0.3, "packing": True, "max_length": 100}),
        ([outcome(i, i % 2 == 0) for i in range(9)], {"objective": "kto"}),
        ("nft", {"objective": "nft"}),
    ],
    ids=["masked and packed sft", "kto", "nft"],
)
def test_a_stopped_run_goes_on_as_if_it_had_not_been(
    rows: Any, settings: dict[str, Any], llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.trainers.progress import Cancelled, Progress
    from workers.trainers.run import CANCELLED, DONE, main

    if rows == "nft":
        rows = [outcome(i, i % 2 == 0, llama, rate=0.5) for i in range(9)]
    run = make_run(tmp_path / "run", llama, rows, epochs=2, job={"save_every_steps": 2}, **settings)
    assert main([str(run)]) == DONE
    whole = (run / "adapter" / "adapter_model.safetensors").read_bytes()
    shutil.rmtree(run / "adapter")
    shutil.rmtree(run / "checkpoints", ignore_errors=True)

    on_step_end = Progress.on_step_end

    def stop(self: Progress, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        on_step_end(self, args, state, control, **kwargs)
        if state.global_step == 5:
            raise Cancelled("cancelled")

    monkeypatch.setattr(Progress, "on_step_end", stop)
    assert main([str(run)]) == CANCELLED
    assert (run / "checkpoints" / "4").is_dir()
    monkeypatch.setattr(Progress, "on_step_end", on_step_end)
    assert main([str(run)]) == DONE
    assert (run / "adapter" / "adapter_model.safetensors").read_bytes() == whole

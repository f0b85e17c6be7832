"""With every weight 1 our losses are TRL's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.workers.training import make_run, pair_rows, sft_rows

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]


def losses_and_stock(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[float], list[float]]:
    """Train once with our loss and once with TRL's own on the very same batches; returns both loss curves."""
    from trl import DPOTrainer, SFTTrainer

    from loop.finetune.job import TrainJob
    from workers.trainers.objectives import dpo, sft
    from workers.trainers.progress import Progress
    from workers.trainers.rows import load_rows
    from workers.trainers.train import Run

    def curve() -> list[float]:
        job = TrainJob.model_validate_json((run_dir / "job.json").read_bytes())
        run = Run(run_dir, job, load_rows(run_dir / "rows.jsonl"))
        trainer = run._trainer(Progress(run_dir), run.settings.batch_size, run.settings.grad_accum)
        trainer.train()
        return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]

    ours = curve()
    for mine, stock in ((sft.WeightedSFT, SFTTrainer), (dpo.WeightedDPO, DPOTrainer)):

        def compute_loss(self: Any, model: Any, inputs: Any, *a: Any, stock: Any = stock, **k: Any) -> Any:
            inputs.pop("weight")
            self.count(inputs)
            return stock.compute_loss(self, model, inputs, *a, **k)

        monkeypatch.setattr(mine, "compute_loss", compute_loss)
    return ours, curve()


def test_sft_equals_trl(llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run", llama, sft_rows(), grad_accum=2, batch_size=2)
    ours, stock = losses_and_stock(run, monkeypatch)
    assert ours == pytest.approx(stock, rel=1e-4)


@pytest.mark.parametrize("sft_weight", [0.0, 0.5])
def test_dpo_equals_trl(
    sft_weight: float, llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl import DPOConfig

    def with_terms(**options: Any) -> DPOConfig:
        terms = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, sft_weight]} if sft_weight else {}
        return DPOConfig(**options, **terms)

    monkeypatch.setattr("workers.trainers.objectives.dpo.DPOConfig", with_terms)
    run = make_run(tmp_path / "run", llama, pair_rows(), objective="dpo", sft_weight=sft_weight)
    ours, stock = losses_and_stock(run, monkeypatch)
    assert ours == pytest.approx(stock, rel=1e-4)

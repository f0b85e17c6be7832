"""Preference losses by hand, their direction, and where they are TRL's own."""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import Any

import pytest

from loop.records import TrainRow
from tests.workers.objectives.support import (
    adapter,
    curve,
    log_probs,
    pair,
    parts_of,
    quiet,
    reference,
    tokens_of,
    trainer_of,
)
from tests.workers.tiny import make_adapter

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]
ROWS = [pair(i) for i in range(8)]


# ---- by hand
def loss_of(kind: str, chosen: float, rejected: float, p: float, beta: float) -> float:
    import torch

    from workers.trainers.objectives.dpo import pair_losses

    values = (torch.tensor([float(x)]) for x in (chosen, rejected, p))
    return float(pair_losses(kind, *values, beta))


@pytest.mark.parametrize(
    ("kind", "chosen", "rejected", "p", "beta", "loss"),
    [
        ("sigmoid", 0, 0, 1, 0.1, 0.6931),  # ln 2
        ("sigmoid", 1, -1, 1, 0.1, 0.5981),  # z = 0.2: ln(1 + e^-0.2)
        ("sigmoid", 1, -1, 0, 0.1, 0.7981),  # ln(1 + e^0.2)
        ("sigmoid", 1, -1, 0.8, 0.1, 0.6381),  # 0.8 x 0.5981 + 0.2 x 0.7981
        ("ipo", 0.3, 0.1, 1, 0.5, 0.64),  # (0.2 - 1)^2
        ("ipo", 0.3, 0.1, 0.75, 0.5, 0.84),  # 0.75 x 0.64 + 0.25 x 1.44
        ("sppo", 2, -1, 1, 0.25, 1.0),  # (2 - 2)^2 + (-1 + 2)^2
        ("sppo", 2, -1, 0.75, 0.25, 1.0),  # (2 - 1)^2 + (-1 + 1)^2
        ("sppo", 0, 0, 0.70395, 0.001, 2 * 41595.6),  # winrates .70395 and .29605: targets +-203.95
    ],
)
def test_the_loss_of_one_pair(
    kind: str, chosen: float, rejected: float, p: float, beta: float, loss: float
) -> None:
    assert loss_of(kind, chosen, rejected, p, beta) == pytest.approx(loss, rel=1e-4)


def test_a_soft_target_is_best_met_where_the_model_says_as_much() -> None:
    at = 10 * log(0.8 / 0.2)  # sigma(0.1 x at) = 0.8
    best = loss_of("sigmoid", at, 0, 0.8, 0.1)
    assert all(loss_of("sigmoid", at + d, 0, 0.8, 0.1) > best for d in (-1, 1))


@pytest.mark.parametrize("kind", ["sigmoid", "ipo", "sppo"])
def test_no_preference_leaves_the_reference_alone(kind: str) -> None:
    assert all(loss_of(kind, d, -d, 0.5, 0.3) > loss_of(kind, 0, 0, 0.5, 0.3) for d in (-0.5, 0.5))


def test_there_is_no_other_pairwise_loss() -> None:
    with pytest.raises(ValueError, match="hinge"):
        loss_of("hinge", 0, 0, 1, 0.1)


def test_the_whole_loss_against_a_reference(llama: Path, tmp_path: Path) -> None:
    """Weights, targets, noise and the likelihood term, from plain forward passes; the policy has moved."""
    from math import exp

    rows = [pair(1, weight=2.0, target=0.9), pair(2, weight=0.5)]
    trainer = trainer_of(
        llama, "dpo", rows, rate=0.5, epochs=2, beta=0.3, label_smoothing=0.1, sft_weight=0.4
    )
    first, second = curve(trainer)
    tokens = tokens_of(llama)
    sides = [ids_of(tokens, row) for row in rows]
    count = sum(len(chosen) for _, chosen, _ in sides)
    nll = -sum(
        r.weight * float(reference(trainer, c, y).sum()) for r, (c, y, _) in zip(rows, sides, strict=True)
    )
    assert first == pytest.approx((2.0 + 0.5) / 2 * log(2) + 0.4 * nll / count, rel=1e-4)

    # After the first update, by hand: train one update again and read its log-ratios.
    one = trainer_of(llama, "dpo", rows, rate=0.5, epochs=1, beta=0.3, label_smoothing=0.1, sft_weight=0.4)
    curve(one)
    total = nll = 0.0
    for row, (context, chosen, rejected) in zip(rows, sides, strict=True):
        one.model.eval()
        up, down = (
            float((log_probs(one.model, context, y) - reference(one, context, y)).sum())
            for y in (chosen, rejected)
        )
        z, p = 0.3 * (up - down), row.target * 0.9 + (1 - row.target) * 0.1
        total += row.weight * (p * log(1 + exp(-z)) + (1 - p) * log(1 + exp(z))) / 2
        nll -= row.weight * float(log_probs(one.model, context, chosen).sum())
    assert second == pytest.approx(total + 0.4 * nll / count, rel=1e-3)


def test_scpo_by_hand(llama: Path) -> None:
    """The paper's: w (-log sigma(z)) + alpha w NLL / length; here at z = 0."""
    row = pair(1, weight=0.5)
    trainer, tokens = trainer_of(llama, "dpo", [row], rate=0.0, sft_weight=1.0), tokens_of(llama)
    context, chosen, _ = ids_of(tokens, row)
    nll = -float(reference(trainer, context, chosen).sum())
    assert curve(trainer) == pytest.approx([0.5 * 0.6931 + 0.5 * nll / len(chosen)], rel=1e-3)


def ids_of(tokens: Any, row: TrainRow) -> tuple[list[int], list[int], list[int]]:
    end = tokens.turn_end_ids() if row.ends else []
    context = tokens.prompt_ids(row.messages) + tokens.text_ids(row.prefix)
    return context, tokens.text_ids(row.chosen) + end, tokens.text_ids(row.rejected or "") + end


# ---- direction
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"label_smoothing": 0.2},
        {"sft_weight": 0.5},
        {"loss": "ipo", "beta": 0.5, "rate": 0.03},
        {"loss": "sppo", "rate": 0.003},
    ],
)
def test_the_better_side_rises_and_the_worse_falls(settings: dict[str, Any], llama: Path) -> None:
    trainer, tokens = (
        trainer_of(llama, "dpo", ROWS, **{"epochs": 6, "rate": 0.3} | settings),
        tokens_of(llama),
    )
    curve(trainer)
    trainer.model.eval()
    ups, downs = 0.0, 0.0
    for row in ROWS:
        context, chosen, rejected = ids_of(tokens, row)
        up = float((log_probs(trainer.model, context, chosen) - reference(trainer, context, chosen)).sum())
        down = float(
            (log_probs(trainer.model, context, rejected) - reference(trainer, context, rejected)).sum()
        )
        assert up > down
        ups, downs = ups + up, downs + down
    assert ups > 0 > downs


def test_a_target_below_half_turns_the_pair_round(llama: Path) -> None:
    rows = [pair(i, target=0.1) for i in range(8)]
    trainer, tokens = trainer_of(llama, "dpo", rows, epochs=4, rate=0.3), tokens_of(llama)
    curve(trainer)
    for row in rows:
        context, chosen, rejected = ids_of(tokens, row)
        up = (log_probs(trainer.model, context, chosen) - reference(trainer, context, chosen)).sum()
        down = (log_probs(trainer.model, context, rejected) - reference(trainer, context, rejected)).sum()
        assert up < down


def test_spin_learns_against_the_adapter_it_starts_from(llama: Path, tmp_path: Path) -> None:
    """The reference is the previous champion, not the base: at the start every pair costs ln 2."""
    start = make_adapter(llama, tmp_path / "champion", seed=3)
    trainer = trainer_of(llama, "dpo", ROWS[:4], start=start, epochs=4, rate=0.02)
    losses = curve(trainer)
    assert losses[0] == pytest.approx(log(2), rel=1e-5)
    assert losses[-1] < losses[0]
    frozen = [p for name, p in trainer.model.named_parameters() if ".ref." in name]
    assert frozen
    assert not any(p.requires_grad for p in frozen)


# ---- TRL's own
@pytest.mark.parametrize(
    ("loss", "stock"),
    [
        ("sigmoid", {"loss_type": ["sigmoid"]}),
        ("ipo", {"loss_type": ["ipo"]}),
        ("sppo", {"loss_type": ["sppo_hard"]}),
        ("sigmoid", {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.5]}),
    ],
)
def test_it_is_trls_own_where_nothing_is_weighed_or_soft(loss: str, stock: Any, llama: Path) -> None:
    from trl import DPOConfig, DPOTrainer
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    class Stock(DPOTrainer):
        def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
            return dataset

    sft = 0.5 if "loss_weights" in stock else 0.0
    # TRL takes the mean of a micro-batch's tokens, so the likelihood term is compared without accumulation.
    cut = {} if sft else {"micro": 2, "accum": 2}
    options: dict[str, Any] = {"loss": loss, "sft_weight": sft, "epochs": 2, "rate": 0.02, **cut}
    parts = parts_of(llama, "dpo", ROWS, **options)
    theirs = quiet(
        Stock(
            parts.model,
            args=DPOConfig(beta=parts.settings.beta, **stock, **parts.common),
            data_collator=DataCollatorForPreference(parts.tokens.pad_id),
            **parts.options,
        )
    )
    ours = trainer_of(llama, "dpo", ROWS, **options)
    assert curve(ours) == pytest.approx(curve(theirs), rel=1e-4)
    assert (adapter(ours) - adapter(theirs)).abs().max() < 1e-6


def test_however_an_update_is_cut_it_is_the_same(llama: Path) -> None:
    rows = [pair(i, weight=1 + i % 3, target=1 - 0.1 * (i % 2)) for i in range(9)]  # the last one is alone
    options: dict[str, Any] = {"sft_weight": 0.5, "epochs": 2, "rate": 0.1}
    whole = trainer_of(llama, "dpo", rows, **options)
    halves = trainer_of(llama, "dpo", rows, micro=2, accum=2, **options)
    assert curve(halves) == pytest.approx(curve(whole), rel=1e-4)
    assert (adapter(whole) - adapter(halves)).abs().max() < 1e-6

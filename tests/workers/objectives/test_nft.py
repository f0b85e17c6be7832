"""NFT by hand, its direction, and that without wrong samples it is rejection sampling."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from pathlib import Path
from typing import Any

import pytest

from loop.records import TrainRow
from tests.workers.objectives.support import (
    adapter,
    curve,
    log_probs,
    outcome,
    reference,
    tokens_of,
    trainer_of,
)

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]


@pytest.fixture(scope="module")
def rows(llama: Path) -> list[TrainRow]:
    return [outcome(i, i % 2 == 0, llama, rate=0.25 if i < 4 else 0.5) for i in range(8)]


def one(log_ratio: float, right: bool, rate: float, epsilon: float) -> tuple[float, float]:
    """(loss, its derivative by log R)."""
    import torch

    from workers.trainers.objectives.nft import token_losses

    x = torch.tensor([log_ratio], requires_grad=True)
    loss = token_losses(x, torch.tensor([right]), torch.tensor([rate]), epsilon)
    loss.sum().backward()
    return float(loss.detach()), float(x.grad)


@pytest.mark.parametrize(
    ("ratio", "right", "rate", "epsilon", "loss", "slope"),
    [
        (1.2, True, 0.5, 1.0, -0.1823, -1.0),  # -log 1.2
        (1.2, False, 0.5, 0.01, 0.2231, 1.5),  # -log 0.8; rR / (1 - rR) = 0.6 / 0.4
        (1.2, False, 0.5, 1.0, 0.0, 1.2),  # clamped: the value of log 1, the slope of 0.8's own: 0.6 / 0.5
        (0.5, False, 0.5, 1.0, -0.4055, 0.3333),  # -log 1.5; 0.25 / 0.75
        (3.0, False, 0.5, 0.1, 2.3026, 30.0),  # below zero: -log 0.1, 3 x 0.5 / 0.5 / 0.1
        (1.0, False, 0.25, 1.0, 0.0, 0.3333),  # on-policy: r / (1 - r)
    ],
)
def test_the_loss_of_one_token(
    ratio: float, right: bool, rate: float, epsilon: float, loss: float, slope: float
) -> None:
    assert one(log(ratio), right, rate, epsilon) == (
        pytest.approx(loss, abs=1e-4),
        pytest.approx(slope, abs=1e-4),
    )


def test_a_ratio_out_of_hand_stays_finite() -> None:
    assert one(50.0, False, 0.5, 1.0) == (pytest.approx(0.0), pytest.approx(0.0))  # beyond e^10: no slope
    assert one(9.0, False, 0.5, 1.0)[1] == pytest.approx(exp(9.0), rel=1e-4)


def test_on_policy_gradients_are_rewards_with_their_mean_taken_off(rows: list[TrainRow], llama: Path) -> None:
    """Weight 1 - r: a right token pulls with 1 - r, a wrong one with -r."""
    trainer = trainer_of(llama, "nft", rows, batch_size=8)
    batch = trainer.data_collator(trainer.train_dataset.to_list())
    trainer.compute_loss(trainer.model, dict(batch)).backward()
    found = gradient(trainer)
    trainer.model.zero_grad()
    count = (batch["labels"][:, 1:] != -100).sum()
    logs = trainer.model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        labels=batch["labels"],
        fused_lm_head=True,
    ).log_probs.sum(1)
    (-((batch["label"].float() - batch["rate"]) * logs).sum() / count).backward()
    wanted = gradient(trainer)
    assert wanted.abs().max() > 1e-3
    assert (found - wanted).abs().max() < 1e-4


def gradient(trainer: Any) -> Any:
    import torch

    found = [p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]
    return torch.cat(found).clone()


def test_the_whole_loss_once_the_policy_has_moved(rows: list[TrainRow], llama: Path) -> None:
    options: dict[str, Any] = {"batch_size": 8, "rate": 0.5, "negative_weight": 0.7}
    first, second = curve(trainer_of(llama, "nft", rows, epochs=2, **options))
    assert first == pytest.approx(0.0, abs=1e-5)  # R = 1 everywhere
    trainer, tokens = trainer_of(llama, "nft", rows, epochs=1, **options), tokens_of(llama)
    curve(trainer)
    trainer.model.eval()
    total = 0.0
    for row in rows:
        new = log_probs(trainer.model, tokens.prompt_ids(row.messages), list(row.token_ids))
        r = row.rate or 0.0
        for old, now in zip(row.logprobs, new.tolist(), strict=True):
            ratio = exp(now - old)
            wrong = -0.7 * log(max((1 - r * ratio) / (1 - r), 1.0))
            total += (1 - r) * (-log(ratio) if row.label else wrong)
    assert second == pytest.approx(total / sum(len(r.token_ids) for r in rows), rel=1e-3)


def test_right_rises_and_wrong_falls(rows: list[TrainRow], llama: Path) -> None:
    trainer, tokens = trainer_of(llama, "nft", rows, epochs=6, rate=0.5), tokens_of(llama)
    curve(trainer)
    trainer.model.eval()
    gains: dict[bool, float] = {True: 0.0, False: 0.0}
    for row in rows:
        context, ids = tokens.prompt_ids(row.messages), list(row.token_ids)
        gains[bool(row.label)] += float(
            (log_probs(trainer.model, context, ids) - reference(trainer, context, ids)).sum()
        )
    assert gains[True] > 0 > gains[False]


def test_without_wrong_samples_it_is_rejection_sampling(rows: list[TrainRow], llama: Path) -> None:
    """SFT on the right ones, prompts weighed by 1 - r: the losses differ by what the old policy said."""
    options: dict[str, Any] = {"epochs": 3, "rate": 0.2}
    nft = trainer_of(llama, "nft", rows, negative_weight=0, **options)
    right = [replace(r, reward=1.0, weight=1 - (r.rate or 0.0)) for r in rows if r.label]
    sft = trainer_of(llama, "sft", right, reward_temperature=1.0, **options)
    curve(nft), curve(sft)
    assert (adapter(nft) - adapter(sft)).abs().max() < 1e-6
    assert adapter(nft).abs().max() > 1e-3


def test_however_an_update_is_cut_it_is_the_same(rows: list[TrainRow], llama: Path) -> None:
    mine = [*(replace(r, weight=1 + i % 3) for i, r in enumerate(rows)), replace(rows[0], weight=0.5)]
    whole = trainer_of(llama, "nft", mine, epochs=2, rate=0.2)
    halves = trainer_of(llama, "nft", mine, epochs=2, rate=0.2, micro=2, accum=2)
    assert curve(halves) == pytest.approx(curve(whole), rel=1e-4, abs=1e-6)
    assert (adapter(whole) - adapter(halves)).abs().max() < 1e-6


def test_what_it_cannot_learn_from_is_dropped_by_reason(rows: list[TrainRow], llama: Path) -> None:
    from workers.trainers.encode import encode_nft

    a, b = rows[:2]
    tokens, unusable = tokens_of(llama), [
        replace(a, logprobs=()),
        replace(a, token_ids=(), logprobs=()),
        replace(a, rate=0.0),
        replace(a, rate=1.0),
        replace(a, rate=None),
        replace(a, label=None),
        replace(a, chosen="of another tokenizer"),
    ]  # fmt: skip
    found = encode_nft([a, b, *unusable], tokens, 256)
    assert found.dropped == {
        "no_logprobs": 2,
        "rate_0": 1,
        "rate_1": 1,
        "no_rate": 1,
        "no_label": 1,
        "other_tokenizer": 1,
    }
    assert [row["label"] for row in found.rows] == [True, False]
    assert encode_nft([a, b], tokens, 256, wrong=False).dropped == {"wrong_not_used": 1}
    assert encode_nft([a], tokens, len(a.token_ids)).dropped == {"too_long": 1}

"""KTO by hand, its direction, and where it is TRL's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.workers.objectives.support import (
    QUESTION,
    adapter,
    curve,
    log_probs,
    outcome,
    pair,
    parts_of,
    quiet,
    reference,
    sampled,
    tokens_of,
    trainer_of,
)
from tests.workers.tiny import make_adapter

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]
ROWS = [outcome(i, i % 2 == 0) for i in range(8)]


def losses_of(ratios: list[float], right: list[bool], z0: float, **more: float) -> list[float]:
    import torch

    from workers.trainers.objectives.kto import outcome_losses

    options = {"beta": 0.1, "gain": 1.0, "loss": 1.0} | more
    found = outcome_losses(torch.tensor(ratios), torch.tensor(z0), torch.tensor(right), **options)
    return [round(float(x), 4) for x in found]


def test_the_loss_of_one_response() -> None:
    # sigma(0.1 (2 - 1)) = .5250 and sigma(0.1 (1 - 2)) = .4750
    assert losses_of([2.0, 2.0], [True, False], 1.0) == [0.4750, 0.5250]
    assert losses_of([0.0, 0.0], [True, False], 0.0) == [0.5, 0.5]
    assert losses_of([2.0, 2.0], [True, False], 1.0, gain=2.0, loss=3.0) == [0.9500, 1.5749]


def test_the_whole_loss_against_a_reference(llama: Path) -> None:
    """One z0 over the update, from plain forward passes; the policy has moved."""
    from math import exp

    rows = [outcome(1, True, weight=2.0), outcome(2, False), outcome(3, True), outcome(4, False, weight=0.5)]
    options: dict[str, Any] = {"rate": 5.0, "undesirable_weight": 1.5}
    second = curve(trainer_of(llama, "kto", rows, epochs=2, **options))[1]
    trainer, tokens = trainer_of(llama, "kto", rows, epochs=1, **options), tokens_of(llama)
    (first,) = curve(trainer)
    assert first == pytest.approx(0.5 * (2 + 1.5 + 1 + 1.5 * 0.5) / 4, rel=1e-5)

    trainer.model.eval()

    def ratio(context: list[int], ids: list[int]) -> float:
        return float((log_probs(trainer.model, context, ids) - reference(trainer, context, ids)).sum())

    drawn = list(trainer.train_dataset)
    z0 = max(0.0, sum(ratio(r["prompt_ids"], r["KL_completion_ids"]) for r in drawn) / 4)
    total = 0.0
    for row in drawn:
        r = ratio(row["prompt_ids"], row["completion_ids"])
        sign, weight = (1, 1.0) if row["label"] else (-1, 1.5)
        total += row["weight"] * weight * (1 - 1 / (1 + exp(-0.1 * sign * (r - z0)))) / 4
    assert second == pytest.approx(total, rel=1e-4)
    assert sorted(len(tokens.text_ids(r.chosen)) + 1 for r in rows) == sorted(
        len(r["completion_ids"]) for r in drawn
    )


def test_right_rises_and_wrong_falls(llama: Path) -> None:
    trainer, tokens = trainer_of(llama, "kto", ROWS, epochs=8, rate=3.0), tokens_of(llama)
    curve(trainer)
    trainer.model.eval()
    gains: dict[bool, float] = {True: 0.0, False: 0.0}
    for row in ROWS:
        context, ids = tokens.prompt_ids(row.messages), tokens.text_ids(row.chosen)
        gains[bool(row.label)] += float(
            (log_probs(trainer.model, context, ids) - reference(trainer, context, ids)).sum()
        )
    assert gains[True] > 0 > gains[False]


def test_completions_are_compared_with_other_prompts_of_their_update() -> None:
    from workers.trainers.objectives.kto import mismatched

    rows = [{"prompt_ids": [i], "completion_ids": [10 + i]} for i in range(9)]
    out = mismatched(rows, 4, seed=1)
    assert out == mismatched(rows, 4, seed=1)
    assert [r["prompt_ids"] for r in out] != [r["prompt_ids"] for r in rows]
    assert all(r["KL_completion_ids"] != r["completion_ids"] for r in out)
    for start in (0, 4):
        update = out[start : start + 4]
        assert sorted(r["KL_completion_ids"] for r in update) == sorted(r["completion_ids"] for r in update)
        assert [r["KL_completion_ids"] for r in update[1:]] == [r["completion_ids"] for r in update[:-1]]


def test_it_is_trls_own_where_nothing_is_weighed(llama: Path) -> None:
    from trl import KTOConfig, KTOTrainer
    from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

    class Stock(KTOTrainer):
        def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
            return dataset

    options: dict[str, Any] = {"epochs": 2, "rate": 3.0, "desirable_weight": 1.5, "undesirable_weight": 0.8}
    ours = trainer_of(llama, "kto", ROWS, **options)
    parts = parts_of(llama, "kto", ROWS, **options)
    theirs = quiet(
        Stock(
            parts.model,
            args=KTOConfig(beta=0.1, desirable_weight=1.5, undesirable_weight=0.8, **parts.common),
            data_collator=DataCollatorForUnpairedPreference(parts.tokens.pad_id),
            **parts.options | {"train_dataset": ours.train_dataset.remove_columns("weight")},
        )
    )
    assert curve(ours) == pytest.approx(curve(theirs), rel=1e-4)
    assert (adapter(ours) - adapter(theirs)).abs().max() < 1e-6


@pytest.mark.parametrize("cut", [{"micro": 2, "accum": 2}, {"micro": 1, "accum": 4}])
def test_however_an_update_is_cut_it_is_the_same(cut: dict[str, int], llama: Path, tmp_path: Path) -> None:
    rows = [outcome(i, i % 3 == 0, weight=1 + i % 3) for i in range(9)]
    start = make_adapter(llama, tmp_path / "champion", seed=3)
    options: dict[str, Any] = {"epochs": 2, "rate": 0.02, "start": start}
    whole = trainer_of(llama, "kto", rows, **options)
    pieces = trainer_of(llama, "kto", rows, **cut, **options)
    assert curve(pieces) == pytest.approx(curve(whole), rel=1e-4)
    assert (adapter(whole) - adapter(pieces)).abs().max() < 1e-6


def test_one_row_per_update_is_refused(llama: Path) -> None:
    with pytest.raises(ValueError, match=r"at least two rows: set finetune\.batch_size"):
        parts_of(llama, "kto", ROWS, batch_size=1)
    parts_of(llama, "kto", ROWS, batch_size=1, grad_accum=2)


def test_rows_are_trained_as_they_were_sampled_and_others_are_dropped(llama: Path) -> None:
    from dataclasses import replace

    from workers.trainers.encode import encode_kto

    row = sampled(outcome(1, True), llama)
    cut = replace(outcome(2, False), ends=False)
    found = encode_kto([row, cut, pair(1), replace(cut, chosen="")], tokens_of(llama), 256)
    tokens = tokens_of(llama)
    assert [r["completion_ids"] for r in found.rows] == [list(row.token_ids), tokens.text_ids(cut.chosen)]
    assert found.dropped == {"no_label": 1, "empty": 1}
    assert encode_kto([row], tokens, len(tokens.prompt_ids(QUESTION))).dropped == {"too_long": 1}

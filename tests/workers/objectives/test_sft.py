"""SFT by hand: masks, weights, rewards, masked thought, packing."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loop.records import RowKind, TrainRow
from tests.workers.objectives.support import (
    QUESTION,
    adapter,
    curve,
    log_probs,
    outcome,
    parts_of,
    quiet,
    reference,
    sample,
    tokens_of,
    trainer_of,
)

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]


def test_the_loss_is_the_weighted_nll_per_trained_token(llama: Path) -> None:
    rows = [sample(1, weight=2.0), sample(4, weight=0.5)]
    trainer, tokens = trainer_of(llama, "sft", rows, rate=0.0), tokens_of(llama)
    nll = count = 0.0
    for row in rows:
        ids = [*tokens.text_ids(row.chosen), *tokens.turn_end_ids()]
        nll -= row.weight * float(reference(trainer, tokens.prompt_ids(row.messages), ids).sum())
        count += len(ids)
    assert curve(trainer) == pytest.approx([nll / count], rel=1e-4)


# ---- masked passages
def partial(text: str, *spans: tuple[int, int], **more: Any) -> TrainRow:
    return TrainRow(RowKind.PARTIAL, "p", QUESTION, text, ends=False, masked=spans, **more)


def encoded(base: Path, *rows: TrainRow, temperature: float | None = None) -> Any:
    from workers.trainers.encode import encode_sft

    return encode_sft(rows, tokens_of(base), 256, temperature)


def test_what_overlaps_a_masked_passage_is_read_but_not_learned(llama: Path) -> None:
    from workers.trainers.encode import IGNORED

    text = "3 + 4 = 7.\n7 + 1 = 9.\n"
    start = text.index("7 + 1")
    (row,) = encoded(llama, partial(text, (start, len(text)))).rows
    tokens = tokens_of(llama)
    context = tokens.prompt_ids(QUESTION)
    assert row["input_ids"] == context + tokens.text_ids(text)
    learned = [label for label in row["labels"] if label != IGNORED]
    assert tokens.decode(learned) == text[:start]
    assert all(
        i == label for i, label in zip(row["input_ids"], row["labels"], strict=True) if label != IGNORED
    )


def test_a_token_with_any_part_in_a_masked_passage_is_masked(llama: Path) -> None:
    from workers.trainers.encode import IGNORED

    tokens = tokens_of(llama)
    text = "The answer is 7."
    ids = tokens.text_ids(text)
    longest = max(range(len(ids)), key=lambda i: len(tokens.piece(ids[i])))
    piece, before = tokens.piece(ids[longest]), len(tokens.decode(ids[:longest]))
    assert len(piece) > 1
    (row,) = encoded(llama, partial(text, (before + len(piece) - 1, before + len(piece)))).rows
    labels = row["labels"][-len(ids) :]
    assert [i for i, label in enumerate(labels) if label == IGNORED] == [longest]


def test_a_row_of_which_nothing_is_left_is_dropped(llama: Path) -> None:
    found = encoded(llama, partial("3 + 4", (0, 5)), partial("3 + 4", (2, 2)))
    assert (len(found.rows), found.dropped) == (1, {"all_masked": 1})


# ---- rewards
def test_rewards_weigh_as_in_rise(llama: Path) -> None:
    rows = [outcome(1, True), outcome(2, False), replace(outcome(3, False), reward=-1.0)]
    rows = [*rows, sample(4), replace(outcome(5, True), reward=None)]
    found = encoded(llama, *rows, temperature=0.4)
    right, wrong, worse, plain = (row["weight"] for row in found.rows)
    assert (right / wrong, worse / wrong) == (
        pytest.approx(12.182, rel=1e-4),
        pytest.approx(0.0821, rel=1e-3),
    )
    assert (right + wrong + worse) / 3 == pytest.approx(1.0)
    assert (plain, found.dropped) == (1.0, {"no_reward": 1})


def test_large_rewards_do_not_overflow(llama: Path) -> None:
    rows = [replace(outcome(1, True, weight=2.0), reward=9000.0), replace(outcome(2, True), reward=8999.0)]
    first, second = (row["weight"] for row in encoded(llama, *rows, temperature=0.1).rows)
    assert (first, second) == (pytest.approx(4.0, rel=1e-3), pytest.approx(2 * 4.54e-5, rel=1e-2))


def test_without_a_temperature_no_outcome_is_learned(llama: Path) -> None:
    assert encoded(llama, outcome(1, False)).dropped == {"no_reward": 1}


def test_an_outcome_is_learned_as_it_was_sampled_unless_the_ids_are_of_another_tokenizer(llama: Path) -> None:
    tokens = tokens_of(llama)
    row = outcome(1, True)
    odd = [i for character in row.chosen for i in tokens.text_ids(character)]  # not how it would be tokenised
    assert tokens.decode(odd) == row.chosen
    assert odd != tokens.text_ids(row.chosen)
    (mine,) = encoded(llama, replace(row, token_ids=tuple(odd)), temperature=1.0).rows
    assert [i for i in mine["labels"] if i >= 0] == odd
    for foreign in ((10**6,), tuple(tokens.text_ids("no"))):
        (other,) = encoded(llama, replace(row, token_ids=foreign), temperature=1.0).rows
        assert [i for i in other["labels"] if i >= 0] == tokens.text_ids(row.chosen) + tokens.turn_end_ids()


def test_a_higher_reward_is_learned_more(llama: Path) -> None:
    rows = [outcome(i, i % 2 == 0) for i in range(8)]
    trainer = trainer_of(llama, "sft", rows, reward_temperature=0.3, epochs=6, rate=0.2)
    curve(trainer)
    gains = [gain(trainer, row, llama) for row in rows]
    assert min(gains[0::2]) > 0
    assert sum(gains[0::2]) > 1.3 * sum(gains[1::2])  # though both begin alike


def gain(trainer: Any, row: TrainRow, base: Path) -> float:
    tokens = tokens_of(base)
    context = tokens.prompt_ids(row.messages) + tokens.text_ids(row.prefix)
    ids = tokens.text_ids(row.chosen)
    trainer.model.eval()
    after, before = log_probs(trainer.model, context, ids), reference(trainer, context, ids)
    return float(after.sum() - before.sum())


def test_what_is_shown_becomes_likelier(llama: Path) -> None:
    rows = [sample(i) for i in range(8)]
    trainer = trainer_of(llama, "sft", rows, epochs=6, rate=0.2)
    losses = curve(trainer)
    assert losses[-1] < losses[0]
    assert all(gain(trainer, row, llama) > 0 for row in rows)


def test_it_is_trls_own_where_nothing_is_weighed_or_masked(llama: Path) -> None:
    from trl import SFTConfig, SFTTrainer

    from workers.trainers.objectives._batches import PadSFT

    class Pad(PadSFT):
        def __call__(self, rows: Any) -> Any:
            batch = super().__call__(rows)
            return {k: batch[k] for k in ("input_ids", "labels", "attention_mask")}

    rows = [sample(i) for i in range(10)]
    options = {"epochs": 2, "micro": 2, "accum": 2}
    parts = parts_of(llama, "sft", rows, **options)
    args = SFTConfig(dataset_kwargs={"skip_prepare_dataset": True}, **parts.common)
    stock = quiet(SFTTrainer(parts.model, args, Pad(parts.tokens.pad_id), **parts.options))
    ours = trainer_of(llama, "sft", rows, **options)
    assert curve(ours) == pytest.approx(curve(stock), rel=1e-5)
    assert (adapter(ours) - adapter(stock)).abs().max() < 1e-6


# ---- masked thought
def holes(base: Path, share: float = 0.4, **options: Any) -> tuple[Any, list[Any]]:
    """A trainer, and the (input, label) ids of every token it went through."""
    trainer, seen = trainer_of(base, "sft", [sample(i) for i in range(8)], mask_inputs=share, **options), []
    forward = trainer.model.forward

    def spy(**inputs: Any) -> Any:
        seen.append((trainer.state.global_step, inputs["input_ids"].clone(), inputs["labels"].clone()))
        return forward(**inputs)

    trainer.model.forward = spy
    curve(trainer)
    return trainer, seen


def test_masked_thought_hides_answers_alone_and_leaves_the_labels(llama: Path) -> None:
    trainer, seen = holes(llama, epochs=5)
    hole = trainer.hole
    assert hole == tokens_of(llama).tokenizer.pad_token_id
    trained = hidden = 0
    for _, ids, labels in seen:
        answer = labels != -100
        wrong = ids[answer] != labels[answer]
        assert (ids[answer][wrong] == hole).all()
        assert not (labels == hole).any()
        trained, hidden = trained + int(answer.sum()), hidden + int(wrong.sum())
    spread = (0.4 * 0.6 / trained) ** 0.5
    assert abs(hidden / trained - 0.4) < 3 * spread


def test_context_is_never_hidden(llama: Path) -> None:
    import torch

    from workers.trainers.objectives._masking import with_holes

    ids = torch.arange(4000).reshape(4, 1000)
    labels = ids.masked_fill(torch.arange(1000)[None, :] < 500, -100)
    place = torch.arange(4000).reshape(4, 1000)
    out = with_holes(ids, labels, place, 0.3, key=7, hole=-1)
    assert torch.equal(out[:, :500], ids[:, :500])
    share = float((out[:, 500:] == -1).float().mean())
    assert abs(share - 0.3) < 3 * (0.21 / 2000) ** 0.5
    assert torch.equal(out, with_holes(ids, labels, place, 0.3, key=7, hole=-1))
    assert not torch.equal(out, with_holes(ids, labels, place, 0.3, key=8, hole=-1))


def test_the_same_tokens_are_hidden_however_an_update_is_cut(llama: Path) -> None:
    whole, _ = holes(llama, epochs=2)
    halves, _ = holes(llama, epochs=2, micro=2, accum=2)
    assert (adapter(whole) - adapter(halves)).abs().max() < 1e-6
    plain = trainer_of(llama, "sft", [sample(i) for i in range(8)], epochs=2)
    curve(plain)
    assert (adapter(whole) - adapter(plain)).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("ids", "hole"),
    [
        ({"mask_token_id": 1, "unk_token_id": 2, "pad_token_id": 3}, 1),
        ({"unk_token_id": 2, "pad_token_id": 3}, 2),
        ({"pad_token_id": 0, "eos_token_id": 4}, 0),
        ({"pad_token_id": None, "eos_token_id": 4}, 4),
    ],
)
def test_what_stands_for_a_hidden_token(ids: dict[str, int], hole: int) -> None:
    from workers.trainers.objectives._masking import hole_id

    assert hole_id(SimpleNamespace(**ids)) == hole


# ---- packing
def test_rows_go_longest_first_into_the_fullest_bin_with_room() -> None:
    from workers.trainers.objectives._packing import packed

    assert packed([3, 7, 2, 5, 4], 10) == [[1, 0], [3, 4], [2]]
    assert packed([4, 6, 3, 2], 10) == [[1, 0], [2, 3]]
    assert packed([12, 1], 10) == [[0], [1]]


def test_a_packed_batch_by_hand() -> None:
    from workers.trainers.objectives._batches import PLACES
    from workers.trainers.objectives._packing import PackSFT

    rows = [
        {"input_ids": [5, 6], "labels": [-100, 6], "weight": 1.0, "number": 7},
        {"input_ids": [1, 2, 3, 4], "labels": [-100, -100, 3, 4], "weight": 2.0, "number": 8},
        {"input_ids": [9, 8, 7], "labels": [-100, 8, 7], "weight": 3.0, "number": 9},
    ]
    batch = {k: v.tolist() for k, v in PackSFT(0, 6)(rows).items()}
    assert batch["input_ids"] == [[1, 2, 3, 4, 5, 6], [9, 8, 7, 0, 0, 0]]
    assert batch["labels"] == [[-100, -100, 3, 4, -100, 6], [-100, 8, 7, -100, -100, -100]]
    assert batch["position_ids"] == [[0, 1, 2, 3, 0, 1], [0, 1, 2, 0, 0, 0]]
    assert batch["attention_mask"] == [[1] * 6, [1, 1, 1, 0, 0, 0]]
    assert batch["weight"] == [[2.0] * 4 + [1.0] * 2, [3.0] * 3 + [0.0] * 3]
    assert [p - 8 * PLACES for p in batch["place"][0][:4]] == [0, 1, 2, 3]
    assert [p - 7 * PLACES for p in batch["place"][0][4:]] == [0, 1]


def test_packed_rows_make_the_same_updates(base: Path) -> None:
    rows = [sample(i, weight=1 + i % 3) for i in range(10)]
    rows.append(partial("3 + 4 = 7.\n7 + 1 = 9.", (11, 21)))
    plain = trainer_of(base, "sft", rows, batch_size=6, epochs=2)
    packed = trainer_of(base, "sft", rows, batch_size=6, epochs=2, packing=True, max_length=100)
    assert curve(packed) == pytest.approx(curve(plain), rel=1e-5)
    assert (adapter(packed) - adapter(plain)).abs().max() < 1e-6
    assert int(packed.tokens_seen) == int(plain.tokens_seen)


def test_packed_and_masked_thought_hide_the_same_tokens(llama: Path) -> None:
    plain, _ = holes(llama)
    packed, _ = holes(llama, packing=True, max_length=100)
    assert (adapter(packed) - adapter(plain)).abs().max() < 1e-6


def test_a_model_that_does_not_keep_rows_apart_is_trained_unpacked(
    llama: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from transformers import LlamaForCausalLM

    from workers.trainers.objectives._batches import PadSFT

    forward = LlamaForCausalLM.forward

    def runs_on(self: Any, *args: Any, position_ids: Any = None, **kwargs: Any) -> Any:
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(LlamaForCausalLM, "forward", runs_on)
    with caplog.at_level(logging.WARNING):
        trainer = trainer_of(llama, "sft", [sample(i) for i in range(4)], packing=True)
    assert type(trainer.data_collator) is PadSFT
    assert "not packed: packed rows read each other" in caplog.text


def test_however_an_update_is_cut_it_is_the_same(llama: Path) -> None:
    rows = [sample(i, weight=1 + i % 3) for i in range(9)]  # the last update has one row
    whole = trainer_of(llama, "sft", rows, epochs=2)
    halves = trainer_of(llama, "sft", rows, epochs=2, micro=2, accum=2)
    assert curve(halves) == pytest.approx(curve(whole), rel=1e-5)
    assert (adapter(whole) - adapter(halves)).abs().max() < 1e-6

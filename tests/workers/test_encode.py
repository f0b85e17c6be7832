"""Rows to token ids: what is read, what is learned, where the end token goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from loop.records import Message, RowKind, TrainRow
from tests.workers.training import pair_rows, sft_rows
from workers.engines.tokens import ChatTokens
from workers.trainers.encode import IGNORED, encode_dpo, encode_sft
from workers.trainers.rows import dump_rows, load_rows

pytestmark = pytest.mark.xdist_group("torch")

QUESTION = (Message("user", "What is 3 + 4?"),)


@pytest.fixture(scope="module")
def tokens(llama: Path) -> ChatTokens:
    from transformers import AutoTokenizer

    return ChatTokens(AutoTokenizer.from_pretrained(llama))


def test_only_the_chosen_text_and_its_end_are_learned(tokens: ChatTokens) -> None:
    row = TrainRow(RowKind.TRAJECTORY, "p", QUESTION, " 7", prefix="3 + 4 =")
    ids, labels = (encode_sft([row], tokens, 512).rows[0][k] for k in ("input_ids", "labels"))
    learned = [i for i in labels if i != IGNORED]
    assert learned == [*tokens.text_ids(" 7"), *tokens.turn_end_ids()]
    assert labels == [IGNORED] * (len(ids) - len(learned)) + learned
    context = ids[: len(ids) - len(learned)]
    assert context == [*tokens.prompt_ids(QUESTION), *tokens.text_ids("3 + 4 =")]


def test_an_inner_step_gets_no_end_token(tokens: ChatTokens) -> None:
    row = TrainRow(RowKind.STEP_PAIR, "p", QUESTION, " 7\n", " 8\n", prefix="3 + 4 =", ends=False)
    pair = encode_dpo([row], tokens, 512).rows[0]
    assert pair["chosen_ids"] == tokens.text_ids(" 7\n")
    assert pair["rejected_ids"] == tokens.text_ids(" 8\n")
    assert not tokens.end_ids & {*pair["chosen_ids"], *pair["rejected_ids"]}


def test_pairs_need_two_different_sides(tokens: ChatTokens) -> None:
    same = TrainRow(RowKind.PREFERENCE, "p", QUESTION, "7", "7")
    out = encode_dpo([*pair_rows(2), *sft_rows(3), same], tokens, 512)
    assert len(out.rows) == 2
    assert out.dropped == {"no_rejected": 3, "same_sides": 1}


def test_a_row_may_be_exactly_as_long_as_allowed(tokens: ChatTokens) -> None:
    row = sft_rows(1)[0]
    length = len(encode_sft([row], tokens, 512).rows[0]["input_ids"])
    assert len(encode_sft([row], tokens, length).rows) == 1
    assert encode_sft([row], tokens, length - 1).dropped == {"too_long": 1}


def test_rows_survive_the_file(tmp_path: Path) -> None:
    rows = [*sft_rows(3), *pair_rows(3), TrainRow(RowKind.SAMPLE, "p", QUESTION, "é\u2028\n🙂", weight=0.5)]
    sha = dump_rows(rows, tmp_path / "rows.jsonl")
    assert load_rows(tmp_path / "rows.jsonl", sha) == rows
    with pytest.raises(ValueError, match="sha256 differs"):
        load_rows(tmp_path / "rows.jsonl", "0" * 64)
    (tmp_path / "rows.jsonl").write_text('{"kind": "sample"}\n')
    with pytest.raises(ValueError, match="line 1: prompt_id: Field required"):
        load_rows(tmp_path / "rows.jsonl")

"""What would train a model that never stops, or on another text than it is asked with, is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from loop.records import Message, RowKind, TrainRow
from tests.workers.tiny import TEMPLATE, make_model
from tests.workers.training import make_run, sft_rows
from workers.trainers.run import BAD_INPUT, main

pytestmark = pytest.mark.xdist_group("torch")
# As templates do that show the last question otherwise once it is answered.
REWRITES = TEMPLATE.replace(
    "{{ m['content'] }}", "{% if loop.last and m.role == 'user' %}Now: {% endif %}{{ m['content'] }}"
)


def refusal(base: Path, folder: Path, rows: list[TrainRow]) -> str:
    run = make_run(folder, base, rows)
    assert main([str(run)]) == BAD_INPUT
    return (run / "error.txt").read_text()


def test_a_template_that_rewrites_the_prompt_once_it_is_answered(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", "llama", template=REWRITES)
    said = refusal(base, tmp_path / "run", sft_rows())
    assert "writes an answered conversation differently from the prompt alone" in said


def test_rows_whose_every_end_is_left_out(llama: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from loop.recipe_parts import FinetunePart
    from workers.engines.tokens import ChatTokens
    from workers.trainers.encode import IGNORED, encode_sft
    from workers.trainers.ends import refuse_endless, trained_ids

    tokens, rows = ChatTokens(AutoTokenizer.from_pretrained(llama)), sft_rows(3)
    encoded = encode_sft(rows, tokens, FinetunePart().max_length).rows
    assert refuse_endless(rows, encoded, tokens, "sft") == 3
    for row in encoded:
        row["labels"][-1] = IGNORED
        assert not set(trained_ids(row)) & tokens.end_ids
    with pytest.raises(ValueError, match="no end token is among what is trained"):
        refuse_endless(rows, encoded, tokens, "sft")
    encoded[0]["labels"][-1] = encoded[0]["input_ids"][-1]
    assert refuse_endless(rows, encoded, tokens, "sft") == 1
    assert refuse_endless(rows, [{"prompt": "x"}], tokens, "grpo") == 0  # the model writes its own ends


def test_a_begin_token_that_stands_twice(llama: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from workers.engines.tokens import ChatTokens, TemplateError
    from workers.trainers.ends import refuse_template

    tokenizer = AutoTokenizer.from_pretrained(llama)
    tokenizer.bos_token = "<|endoftext|>"
    tokenizer.chat_template = "<|endoftext|>" + TEMPLATE
    tokens = ChatTokens(tokenizer)
    row = TrainRow(RowKind.SAMPLE, "p", (Message("user", "x"),), "y")
    refuse_template([row], tokens)
    twice = TrainRow(RowKind.SAMPLE, "p", (Message("user", "a <|endoftext|> b"),), "y")
    with pytest.raises(TemplateError, match="stands more than once in the prompt"):
        refuse_template([twice], tokens)

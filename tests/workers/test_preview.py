"""The trained span of sample rows, marked, from the very rows the trainer would use."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from loop.recipe_parts import FinetunePart
from loop.records import Message, RowKind, TrainRow
from tests.workers.tiny import make_model
from tests.workers.training import sft_rows
from workers.trainers import preview
from workers.trainers.preview import trained_spans

ASKED = "<|im_start|>user\nWhat is {} + 4?<|im_end|>\n<|im_start|>assistant\n"


def marked(shown: dict) -> list[list[tuple[str, str]]]:
    return [entry["pieces"] for entry in shown["rows"]]


def test_an_answer_is_trained_with_its_end_and_its_prompt_is_only_read(llama: Path) -> None:
    shown = trained_spans(sft_rows(1), FinetunePart(), str(llama), 5)
    assert marked(shown) == [[(ASKED.format(0), "context"), ("0 + 4 = 4", "trained"), ("<|im_end|>", "end")]]
    (entry,) = shown["rows"]
    assert (entry["kind"], entry["side"], entry["weight"]) == ("sample", "chosen", 1.0)
    assert (shown["trained"], shown["ends_trained"], shown["refusal"]) == (1, 1, "")


def test_both_sides_of_a_pair_stand_behind_the_shared_prefix(llama: Path) -> None:
    row = TrainRow(
        RowKind.STEP_PAIR,
        "p",
        (Message("user", "What is 1 + 4?"),),
        " 5",
        rejected=" 6",
        prefix="1 + 4 =",
        ends=False,
        weight=0.5,
    )
    shown = trained_spans([row], FinetunePart(objective="dpo"), str(llama), 5)
    read = (ASKED.format(1) + "1 + 4 =", "context")
    assert marked(shown) == [[read, (" 5", "trained")], [read, (" 6", "trained")]]
    assert [entry["side"] for entry in shown["rows"]] == ["chosen", "rejected"]
    assert [entry["weight"] for entry in shown["rows"]] == [0.5, 0.5]
    assert (shown["ends_trained"], shown["refusal"]) == (0, "")  # step pairs may all stop inside


def test_wrong_passages_of_a_partly_right_answer_are_masked(llama: Path) -> None:
    text = "3 + 4 = 8. The answer is 7."
    row = TrainRow(RowKind.PARTIAL, "p", (Message("user", "x"),), text, masked=((8, 10),))
    (found,) = marked(trained_spans([row], FinetunePart(), str(llama), 5))
    assert "".join(text for text, mark in found if mark != "context") == text + "<|im_end|>"
    masked = "".join(text for text, mark in found if mark == "masked")
    assert "8" in masked
    assert len(masked) < len(text) / 2
    assert found[-1] == ("<|im_end|>", "end")


def test_a_character_of_several_tokens_is_never_torn(llama: Path) -> None:
    row = TrainRow(RowKind.SAMPLE, "p", (Message("user", "x"),), "→ ½ ☃", prefix="→")
    (found,) = marked(trained_spans([row], FinetunePart(), str(llama), 5))
    assert found[1:] == [("→ ½ ☃", "trained"), ("<|im_end|>", "end")]


def test_it_says_what_is_left_out_and_why_a_run_would_be_refused(llama: Path, tmp_path: Path) -> None:
    rows = [*sft_rows(12), TrainRow(RowKind.SAMPLE, "long", (Message("user", "x " * 300),), "y")]
    shown = trained_spans(rows, FinetunePart(max_length=100), str(llama), 3)
    assert (shown["dropped"], shown["trained"], len(shown["rows"])) == ({"too_long": 1}, 12, 3)
    assert shown == trained_spans(rows, FinetunePart(max_length=100), str(llama), 3)

    inner = [replace(row, ends=False) for row in sft_rows()]
    shown = trained_spans(inner, FinetunePart(), str(llama), 1)
    assert "unlearn to stop" in shown["refusal"]
    assert len(shown["rows"]) == 1

    endless = make_model(tmp_path, "llama", template="{% for m in messages %}{{ m.content }}\n{% endfor %}")
    shown = trained_spans(sft_rows(), FinetunePart(), str(endless), 1)
    assert "writes no end token" in shown["refusal"]
    assert shown["rows"] == []


def test_ends_are_the_trainers_where_a_base_has_no_file_of_generation_settings(
    llama: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from workers.engines.tokens import ChatTokens, model_end_ids

    base = tmp_path / "base"
    shutil.copytree(llama, base)
    (base / "generation_config.json").unlink(missing_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(base)
    ends = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|endoftext|>")]
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"eos_token_id": ends}))
    trainers = ChatTokens(tokenizer, model_end_ids(AutoModelForCausalLM.from_pretrained(base)))
    assert preview._tokens(str(base)).end_ids == trainers.end_ids == frozenset(ends)

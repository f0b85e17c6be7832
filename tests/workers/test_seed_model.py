"""The committed seed model: whole, loadable, reversible tokenizer, and about as good as its card says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loop.domains.arithmetic.generate import generate
from loop.records import Split
from workers.seed.check import MODEL_FOLDER, verify_folder

TEXTS = [
    "Mia has 312 pens.\n3 * 12 = 36\nAnswer: 45",
    "Janet’s ducks lay 16 eggs —  \t ▁ é 漢字 $5.50\n\n end ",
    "1: wrong -> 3 + 4 = 7 # wrong result\nVerdict: wrong",
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(MODEL_FOLDER)


@pytest.fixture(scope="module")
def model() -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoModelForCausalLM.from_pretrained(MODEL_FOLDER)


def test_the_folder_is_whole_and_small() -> None:
    assert verify_folder() == []
    assert (MODEL_FOLDER / "model.safetensors").stat().st_size <= 8 * 2**20


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "SHA256SUMS").unlink(), "incomplete"),
        (lambda f: (f / "config.json").unlink(), "config.json is missing"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x"), "model.safetensors is damaged"),
        (lambda f: (f / "SHA256SUMS").write_text("nonsense\n"), "Line 1"),
    ],
)
def test_damage_is_named_in_a_sentence(tmp_path: Path, damage: Any, words: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL_FOLDER, folder)
    damage(folder)
    (problem,) = verify_folder(folder)
    assert words in problem
    assert "git checkout" in problem


def test_the_check_needs_no_torch() -> None:
    code = "import sys, workers.seed.check; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_comes_back(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert tokenizer.unk_token_id not in ids or tokenizer.unk_token_id is None


def test_digits_are_tokens_of_their_own(tokenizer: Any) -> None:
    assert [t.lstrip("Ġ") for t in tokenizer.tokenize("36 + 105")] == ["3", "6", "+", "1", "0", "5"]


def test_the_template_ends_the_turn_and_marks_what_is_trained(tokenizer: Any) -> None:
    talk = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "Answer: 45"}]
    read = tokenizer.apply_chat_template(talk, return_dict=True, return_assistant_tokens_mask=True)
    trained = [i for i, mark in zip(read["input_ids"], read["assistant_masks"], strict=True) if mark]
    assert tokenizer.decode(trained) == "Answer: 45<|end|>"
    assert read["input_ids"][-1] == tokenizer.eos_token_id
    opened = tokenizer.apply_chat_template(talk[:1], add_generation_prompt=True, tokenize=False)
    assert tokenizer.decode(read["input_ids"]) == opened + "Answer: 45<|end|>"


def test_it_solves_about_half_of_what_it_never_saw(model: Any, tokenizer: Any) -> None:
    from workers.seed.evaluate import solve_greedy, verdict

    prompts = generate(60, 31, Split.HELDOUT)
    texts = solve_greedy(model, tokenizer, prompts)
    right = sum(verdict(p, t) for p, t in zip(prompts, texts, strict=True))
    assert 18 <= right <= 48

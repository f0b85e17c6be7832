"""The answer checker: notations, units, time limits, and agreement with a public data set's own verdicts."""

import json
import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.dialects.reading import final_answer
from loop.records import Message, Prompt, Response, Verdict
from loop.verify import _symbolic, check, checker_named, checker_names
from loop.verify.math_answer import compare


def verdict(text: str, reference: str | None, verifier: str = "math_answer") -> Verdict:
    prompt = Prompt("p", (Message("user", "?"),), reference=reference, verifier=verifier)
    return check(prompt, Response("r", "p", text, (), answer=final_answer(text))).verdict


@pytest.mark.parametrize(
    ("stated", "reference"),
    [
        ("18", "18"),
        ("$18", "18"),
        ("18.00", "18"),
        ("1,234", "1234"),
        ("$1,234,567.50", "1234567.5"),
        ("18 eggs", "18"),
        ("about 18 dollars per day.", "18"),
        ("**18**", "18"),
        ("`18`", "18"),
        ("\u221218", "-18"),  # a minus sign, not a hyphen
        ("\uff11\uff18", "18"),  # full-width digits
        ("50%", "50"),
        ("50%", "0.5"),
        ("50\\%", "50 %"),
        ("3/4", "0.75"),
        (".5", "1/2"),
        ("18\\text{ cm}", "18"),
        ("\\$18", "18"),
        ("€5", "5"),
        ("\\frac{3}{4}", "0.75"),
        ("\\dfrac{1}{2}", "\\frac12"),
        ("2\\sqrt{3}", "\\sqrt{12}"),
        ("(3, 5)", "(3,5)"),
        ("x = 7", "7"),
        ("10^3", "1000"),
    ],
)
def test_equal_answers(stated, reference):
    assert compare(stated, reference).verdict is Verdict.RIGHT


@pytest.mark.parametrize(
    ("stated", "reference"),
    [
        ("18", "19"),
        ("1.8", "18"),
        ("18", "-18"),
        ("5%", "0.5"),
        ("1,23", "123"),
        ("3 hours 15 minutes", "3"),
        ("18 or 19", "18"),
        ("\\frac{3}{4}", "0.7"),
        ("many", "18"),
        ("9" * 600, "9"),
    ],
)
def test_different_answers(stated, reference):
    assert compare(stated, reference).verdict is Verdict.WRONG


@given(st.integers(-(10**9), 10**9), st.integers(0, 99))
def test_a_number_equals_its_other_spellings(whole, cents):
    text = f"{whole}.{cents:02d}"
    for spelling in (
        f"${text}",
        f"{whole:,}.{cents:02d}",
        f"{text}0",
        f"{text} dollars",
        f"\\boxed{{{text}}}",
    ):
        assert verdict(f"Answer: {spelling}", text) is Verdict.RIGHT
    assert verdict(f"Answer: {whole + 1}.{cents:02d}", text) is Verdict.WRONG


@pytest.mark.parametrize(
    "text",
    ["so it is \\boxed{18}", "Answer: 18", "#### 18", "A: 18", "**Final answer:** $18", "The answer is 18."],
)
def test_every_notation_of_the_final_answer_is_read(text):
    assert verdict(f"1. first\n2. then 99\n{text}\n", "18") is Verdict.RIGHT


def test_the_reference_may_be_a_worked_solution():
    assert verdict("Answer: 18", "She makes 9 * 2 = 18.\n#### 18") is Verdict.RIGHT


def test_nothing_to_compare_is_unknown_never_wrong():
    assert verdict("Answer: 18", None) is Verdict.UNKNOWN
    assert verdict("Answer: 18", "  ") is Verdict.UNKNOWN
    assert verdict("I do not know", "18") is Verdict.UNKNOWN
    assert verdict("Answer: 18", "18", verifier="") is Verdict.UNKNOWN


def test_an_unknown_checker_is_a_mistake_and_not_a_verdict():
    with pytest.raises(LookupError, match="math_answer"):
        verdict("Answer: 18", "18", verifier="maths")
    assert {"arithmetic", "math_answer"} <= set(checker_names())
    assert all(callable(checker_named(name).check) for name in checker_names())


def test_a_checker_that_raises_gives_an_error():
    assert verdict("Answer: 18", "18", verifier="arithmetic") is Verdict.ERROR  # not a prompt of that domain


def test_the_symbolic_comparison_works_in_threads():
    found = []
    threads = [
        threading.Thread(target=lambda i=i: found.append(_symbolic.compare(f"{i}\\sqrt{{4}}", str(2 * i))))
        for i in range(1, 5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(True, "")] * 4


CHILD = """
import sys, json
print("{}", flush=True)
for line in sys.stdin:
    stated = json.loads(line)[0]
    if stated == "hang":
        sys.stdin.readline()
    if stated == "crash":
        sys.exit(1)
    print(json.dumps({"equal": True}), flush=True)
"""


@pytest.mark.parametrize("stated", ["hang", "crash"])
def test_a_comparison_that_hangs_or_crashes_is_an_error_and_the_next_one_works(stated):
    comparer = _symbolic.SymbolicComparer(limit=0.2, command=(sys.executable, "-S", "-c", CHILD))
    try:
        equal, why = comparer.compare(stated, "1")
        assert equal is None
        assert "crashed or took longer" in why
        assert comparer.compare("fine", "1") == (True, "")
    finally:
        comparer.stop()


def test_a_comparer_that_cannot_start_is_an_error():
    comparer = _symbolic.SymbolicComparer(command=("/nonexistent/python",))
    assert comparer.compare("1", "1")[0] is None


DATA = Path(os.environ.get("WHETSTONE_DATA") or Path(__file__).parents[4] / "shared" / "data")
SOLUTIONS = DATA / "gsm8k" / "example_model_solutions.jsonl"
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


@pytest.mark.data
@pytest.mark.skipif(not SOLUTIONS.is_file(), reason="public data not found")
def test_the_checker_agrees_with_the_published_verdicts_of_gsm8k_solutions():
    total = agreed = 0
    with SOLUTIONS.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            for model in MODELS:
                said = verdict(row[model]["solution"], row["ground_truth"])
                assert said is not Verdict.ERROR
                total += 1
                agreed += (said is Verdict.RIGHT) == row[model]["is_correct"]
    assert total >= 2600
    assert agreed / total >= 0.995

"""The seed domain: prompts, the program that judges steps, planted errors, the simulated annotator."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.dialects.terse import Terse
from loop.domains.arithmetic.annotator import annotate_preference, annotate_steps
from loop.domains.arithmetic.check import NotArithmetic, judge, solve_from
from loop.domains.arithmetic.generate import generate, project_prompts
from loop.domains.arithmetic.mistakes import plant
from loop.records import Mark, Message, Prompt, Response, Split, Verdict

GOOD, NEUTRAL, WRONG = Mark.GOOD, Mark.NEUTRAL, Mark.WRONG
PROMPTS = generate(200, 5, Split.TRAIN)
seeds = st.integers(0, 10**6)


def pens() -> Prompt:
    """3 boxes of 12, 9 more, 5 given away, shared among 4: (3 * 12 + 9 - 5) / 4 = 10."""
    program = [["*", "n0", "n1"], ["+", "s0", "n2"], ["-", "s1", "n3"], ["/", "s2", "n4"]]
    meta = {"domain": "arithmetic", "level": 3, "numbers": [3, 12, 9, 5, 4], "program": program}
    return Prompt("pens", (Message("user", "?"),), reference="10", verifier="arithmetic", meta=meta)


def response(steps: list[str], name: str = "r") -> Response:
    text = "\n".join(steps)
    return Response(name, "pens", text, Terse().split_steps(text))


@pytest.mark.parametrize(
    "steps",
    [
        ["3 * 12 = 36", "36 + 9 = 45", "45 - 5 = 40", "40 / 4 = 10", "Answer: 10"],
        ["12 * 3 = 36", "9 + 36 = 45", "45 - 5 = 40", "40 / 4 = 10", "Answer: 10"],
        ["9 - 5 = 4", "3 * 12 = 36", "36 + 4 = 40", "40 / 4 = 10", "Answer: 10"],
        ["3 * 12 + 9 = 45", "(45 - 5) / 4 = 10", "Answer: 10"],
        [
            "12 / 4 = 3",
            "3 * 3 = 9",
            "9 / 4 = 2.25",
            "9 + 2.25 = 11.25",
            "5 / 4 = 1.25",
            "11.25 - 1.25 = 10",
            "Answer: 10",
        ],
        ["3 × 12 = 36 pens", "36 + 9 = 45", "45 − 5 = 40", "40 ÷ 4 = 10", "The answer is 10."],
    ],
)
def test_every_valid_route_is_good(steps: list[str]) -> None:
    read = judge(pens(), steps)
    assert read.marks == (GOOD,) * len(steps)
    assert (read.first_error, read.verdict) == (None, Verdict.RIGHT)


@pytest.mark.parametrize(
    ("steps", "at", "comment", "correction"),
    [
        (["3 * 12 = 35"], 0, "wrong result", "3 * 12 = 36"),
        (["3 * 12 = 36", "36 - 9 = 27"], 1, "wrong operation", "36 + 9 = 45"),
        (["3 * 12 = 36", "36 + 8 = 44"], 1, "unknown number", "36 + 9 = 45"),
        (["3 * 12 = 36", "Answer: 36"], 1, "wrong answer", "36 + 9 = 45"),
        (["3 * 12 = 36", "36 + = 45"], 1, "unreadable step", "36 + 9 = 45"),
        (
            ["3 * 12 = 36", "36 + 9 = 45", "45 - 5 = 40", "40 / 4 = 10", "Answer: 11"],
            4,
            "wrong answer",
            "Answer: 10",
        ),
    ],
)
def test_the_first_error_is_found_named_and_corrected(
    steps: list[str], at: int, comment: str, correction: str
) -> None:
    read = judge(pens(), [*steps, "1 + 1 = 2"])
    assert read.first_error == at
    assert read.marks == (GOOD,) * at + (WRONG,) + (None,) * (len(steps) - at)
    assert (read.comments, read.corrections) == ({at: comment}, {at: correction})


def test_restating_is_neutral_and_a_right_answer_can_follow_a_wrong_step() -> None:
    steps = ["3 * 12 = 36", "3 * 12 = 36", "So there are 36 pens.", "36 - 9 = 27", "Answer: 10"]
    read = judge(pens(), steps)
    assert read.marks == (GOOD, NEUTRAL, NEUTRAL, WRONG, None)
    assert read.verdict is Verdict.RIGHT


def test_stopping_before_the_answer_is_wrong_without_a_wrong_step() -> None:
    read = judge(pens(), ["3 * 12 = 36"])
    assert (read.first_error, read.verdict) == (None, Verdict.WRONG)


def test_a_solution_is_continued_from_any_good_prefix() -> None:
    assert solve_from(pens(), ["9 - 5 = 4"]) == ["3 * 12 = 36", "4 + 36 = 40", "40 / 4 = 10", "Answer: 10"]
    assert solve_from(pens(), ["Answer: 10"]) == []
    with pytest.raises(ValueError, match="step 1"):
        solve_from(pens(), ["3 + 12 = 15"])


def test_equal_numbers_may_stand_for_two_quantities() -> None:
    program = [["*", "n0", "n1"], ["*", "n2", "n3"], ["+", "s0", "s1"]]
    prompt = Prompt("p", (), meta={"domain": "arithmetic", "numbers": [3, 4, 3, 4], "program": program})
    read = judge(prompt, ["3 * 4 = 12", "3 * 4 = 12", "12 + 12 = 24", "3 * 4 = 12", "Answer: 24"])
    assert read.marks == (GOOD, GOOD, GOOD, NEUTRAL, GOOD)


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({}, "no such domain"),
        ({"domain": "arithmetic"}, "damaged"),
        ({"domain": "arithmetic", "numbers": [1], "program": [["+", "n0", "n7"]]}, "cannot read"),
        ({"domain": "arithmetic", "numbers": [1], "program": []}, "empty"),
        ({"domain": "arithmetic", "numbers": ["x"], "program": 3}, "damaged"),
    ],
)
def test_a_damaged_program_is_named(meta: dict[str, object], words: str) -> None:
    with pytest.raises(NotArithmetic, match=words):
        judge(Prompt("p9", (), meta=meta), [])


@given(st.sampled_from(PROMPTS))
def test_the_own_solution_is_good_throughout(prompt: Prompt) -> None:
    steps = solve_from(prompt)
    read = judge(prompt, steps)
    assert read.marks == (GOOD,) * len(steps)
    assert read.verdict is Verdict.RIGHT
    assert steps[-1] == f"Answer: {prompt.reference}"
    assert len(steps) == prompt.meta["level"] + 2


@given(st.sampled_from(PROMPTS), seeds, st.integers(1, 30))
def test_a_changed_result_is_found_at_its_step(prompt: Prompt, seed: int, by: int) -> None:
    steps = solve_from(prompt)
    at = seed % (len(steps) - 1)
    left, result = steps[at].split(" = ")
    read = judge(prompt, [*steps[:at], f"{left} = {int(result) + by}", *steps[at + 1 :]])
    assert read.first_error == at
    assert read.corrections[at] == steps[at]


@given(st.sampled_from(PROMPTS), seeds)
@settings(max_examples=200)
def test_a_planted_error_is_found_and_its_correction_repairs(prompt: Prompt, seed: int) -> None:
    steps, at = plant(prompt, Random(seed))
    read = judge(prompt, steps)
    assert read.first_error == at
    repaired = [*steps[:at], read.corrections[at]]
    repaired += solve_from(prompt, repaired)
    assert judge(prompt, repaired).first_error is None
    assert judge(prompt, repaired).verdict is Verdict.RIGHT


@given(st.sampled_from(PROMPTS), st.lists(st.text(max_size=30), max_size=4))
def test_any_text_gets_a_judgement(prompt: Prompt, steps: list[str]) -> None:
    assert len(judge(prompt, steps).marks) == len(steps)


def test_splits_share_no_family_and_repeat_exactly() -> None:
    prompts = project_prompts(300, 200, 50)
    assert prompts == project_prompts(300, 200, 50)
    families = {s: {p.family for p in prompts if p.split is s} for s in Split}
    assert [len(families[s]) for s in Split] == [300, 200, 50]
    assert len(set.union(*families.values())) == 550
    assert {p.meta["level"] for p in prompts if p.split is Split.HELDOUT} == {1, 2, 3, 4}
    assert {p.family for p in generate(200, 77, Split.TRAIN)}.isdisjoint(families[Split.HELDOUT])


def test_the_annotator_errs_at_its_rate_and_repeats_itself() -> None:
    rng = Random(1)
    missed = alarms = 0
    for n, prompt in enumerate(PROMPTS):
        wrong, at = plant(prompt, rng)
        bad, fine = response(wrong, f"bad{n}"), response(solve_from(prompt), f"fine{n}")
        read = annotate_steps(prompt, bad, error_rate=0.2, seed=3)
        assert read == annotate_steps(prompt, bad, error_rate=0.2, seed=3)
        missed += read.first_error != at
        alarms += annotate_steps(prompt, fine, error_rate=0.2, seed=3).first_error is not None
        assert annotate_steps(prompt, bad, error_rate=0, seed=3) == judge(prompt, wrong)
    assert 20 <= missed <= 60
    assert 20 <= alarms <= 60


def test_the_annotator_prefers_right_then_later_errors_then_brevity() -> None:
    good = ["3 * 12 = 36", "36 + 9 = 45", "45 - 5 = 40", "40 / 4 = 10", "Answer: 10"]
    late, early = [*good[:3], "40 / 4 = 9", "Answer: 9"], ["3 + 12 = 15", "Answer: 15"]
    wordy = [good[0], *good]
    trio = [response(early, "e"), response(good, "g"), response(late, "l")]
    assert annotate_preference(pens(), trio, error_rate=0, seed=0) == 1
    assert annotate_preference(pens(), trio, error_rate=1, seed=0) != 1
    assert annotate_preference(pens(), [trio[0], trio[2]], error_rate=0, seed=0) == 1
    assert annotate_preference(pens(), [response(wordy, "w"), trio[1]], error_rate=0, seed=0) == 1
    assert annotate_preference(pens(), [trio[1], response(good, "g2")], error_rate=0, seed=0) is None
    with pytest.raises(ValueError, match="error rate"):
        annotate_steps(pens(), trio[0], error_rate=1.5, seed=0)
    with pytest.raises(ValueError, match="at least two"):
        annotate_preference(pens(), trio[:1], error_rate=0, seed=0)

"""Simulated annotators on critiques: the true are accepted, the false put right, the truer preferred."""

from collections import Counter
from dataclasses import replace

import pytest

from loop.dialects.terse import Terse
from loop.domains.arithmetic.annotator import prefer_critique, review_critique
from loop.domains.arithmetic.check import judge, solve_from
from loop.domains.arithmetic.generate import generate
from loop.records import Author, Critique, Response, Split, Verdict

TERSE = Terse()
(PROMPT,) = generate(1, 7, Split.TRAIN)
RIGHT = solve_from(PROMPT)
RIGHT_LAST = [*RIGHT[:-1], "Answer: 987654"]
LAST = len(RIGHT) - 1


def response(steps) -> Response:
    text = "\n".join(steps)
    return Response("r", PROMPT.id, text, TERSE.split_steps(text))


GOOD, BAD = response(RIGHT), response(RIGHT_LAST)  # no error; the answer line is the first error


def said(first_error: int | None, verdict: str, name: str = "c", on: Response = BAD) -> Critique:
    return Critique(name, on.id, Author.MODEL, (None,) * len(on.steps), first_error, Verdict(verdict))


def review(critique, on=BAD, error_rate=0.0, seed=1):
    return review_critique(PROMPT, on, critique, error_rate=error_rate, seed=seed)


def prefer(a, b, on=BAD, error_rate=0.0, seed=1):
    return prefer_critique(PROMPT, on, [a, replace(b, id="d")], error_rate=error_rate, seed=seed)


def test_a_true_critique_is_accepted_and_a_false_one_becomes_the_truth():
    truth = judge(PROMPT, RIGHT_LAST)
    assert (truth.first_error, truth.verdict) == (LAST, Verdict.WRONG)
    assert review(said(LAST, "wrong")) is None
    for false in (said(None, "right"), said(0, "wrong"), said(LAST, "right"), said(None, "unknown")):
        assert review(false) == truth
    assert review(said(None, "right"), on=GOOD) is None
    assert review(said(0, "wrong"), on=GOOD) == judge(PROMPT, RIGHT)


def test_who_errs_misses_the_error_and_so_edits_a_true_critique():
    erring = review(said(LAST, "wrong"), error_rate=1)
    assert (erring.first_error, erring.verdict) == (None, Verdict.RIGHT)
    assert review(said(None, "right"), error_rate=1) is None  # and lets a false one pass


@pytest.mark.parametrize(
    ("a", "b", "on", "found"),
    [
        (said(LAST, "wrong"), said(None, "right"), BAD, (0, False)),
        (said(None, "right"), said(LAST, "wrong"), BAD, (1, False)),
        (said(0, "wrong"), said(LAST - 1, "wrong"), BAD, (1, False)),  # both false, the second is nearer
        (said(0, "wrong"), said(None, "right"), BAD, (0, False)),  # the verdict counts before the place
        (said(LAST, "wrong"), said(LAST, "wrong"), BAD, (None, False)),  # equally true
        (said(0, "wrong"), said(0, "wrong"), BAD, (None, True)),  # equally false
        (said(None, "right"), said(0, "wrong"), GOOD, (0, False)),
    ],
)
def test_the_truer_one_is_preferred(a, b, on, found):
    assert LAST >= 2
    assert prefer(a, b, on) == found


def test_who_errs_never_picks_the_truer_one_and_the_rate_is_kept():
    pair = said(LAST, "wrong"), said(None, "right")
    always = {prefer(*pair, error_rate=1, seed=seed)[0] for seed in range(50)}
    assert always == {1, None}
    picked = Counter(prefer(*pair, error_rate=0.25, seed=seed)[0] for seed in range(400))
    assert 270 <= picked[0] <= 330  # 300 expected, standard deviation 8.7
    assert prefer(*pair, error_rate=0.5, seed=9) == prefer(*pair, error_rate=0.5, seed=9)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="two critiques"):
        prefer_critique(PROMPT, BAD, [said(0, "wrong")], error_rate=0, seed=1)
    with pytest.raises(ValueError, match="error rate"):
        review(said(0, "wrong"), error_rate=2)

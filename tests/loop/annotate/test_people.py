"""What people are asked first, how their answers become one, and how far they agree."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.annotate.aggregate import NOBODY, TIE, UNSURE, agreed_critique
from loop.annotate.agreement import cohen_kappa, first_error_distance, percent_agreement
from loop.annotate.order import Askable, choose, confidence
from loop.records import Author, Critique, Mark, Response, Verdict

R, W, U = Verdict.RIGHT, Verdict.WRONG, Verdict.UNKNOWN


def said(first_error: int | None, verdict: Verdict | None = None, name: str = "c", **more) -> Critique:
    verdict = verdict or (R if first_error is None else W)
    marks = tuple(Mark.WRONG if i == first_error else None for i in range(3))
    return Critique(name, "r", Author.PERSON, marks, first_error, verdict, **more)


# -------------------------------------------------------------------------------------------- order
ITEMS = [
    Askable("sure-right", "p1", R, -0.1),
    Askable("unsure-right", "p2", R, -2.0),
    Askable("unsure-wrong", "p1", W, -2.0),
    Askable("sure-wrong", "p1", W, -0.1),
    Askable("other-wrong", "p3", W, -3.0),
    Askable("undecided", "p3", U, -1.0),
    Askable("unasked", "p2", None, -0.5),
]


def test_convincing_wrong_first_and_prompts_take_turns():
    assert [i.response_id for i in choose(ITEMS, "convincing_wrong", 9, 0)] == [
        "sure-wrong",
        "other-wrong",  # p1 has had its turn
        "unsure-wrong",
        "unasked",
        "undecided",
        "unsure-right",
        "sure-right",
    ]


@given(st.sampled_from(["convincing_wrong", "random", "first_come"]), st.integers(), st.integers(0, 9))
def test_every_order_takes_what_it_is_told_once_and_reproducibly(order, seed, take):
    chosen = choose(ITEMS, order, take, seed)
    assert len(chosen) == len(set(chosen)) == min(take, len(ITEMS))
    assert chosen == choose(ITEMS, order, take, seed)


def test_random_visits_every_prompt_before_any_twice():
    assert {i.prompt_id for i in choose(ITEMS, "random", 3, 4)} == {"p1", "p2", "p3"}


def test_an_unknown_order_is_an_error():
    with pytest.raises(LookupError, match="convincing_wrong, random, first_come"):
        choose(ITEMS, "hardest", 1, 0)


def test_confidence_is_the_mean_log_probability():
    assert confidence(Response("r", "p", "x", (), logprobs=(-1.0, -3.0))) == -2.0
    assert confidence(Response("r", "p", "x", ())) < -1e6


# ---------------------------------------------------------------------------------------- aggregation
def test_one_person_is_enough_and_what_precedes_the_error_is_good():
    agreed = agreed_critique([said(1)])
    assert agreed.critique.marks == (Mark.GOOD, Mark.WRONG, None)
    assert agreed.critique.first_error == 1
    assert agreed_critique([said(None)]).critique.marks == (Mark.GOOD,) * 3


@pytest.mark.parametrize(
    ("judgements", "first_error", "reason"),
    [
        ([said(1), said(1), said(2)], 1, ""),
        ([said(None), said(None), said(0)], None, ""),
        ([said(1), said(2)], None, TIE),
        ([said(1), said(None)], None, TIE),
        ([said(1), said(2), said(1), said(2), said(0)], None, TIE),
        ([said(1), said(2), said(None, U)], None, TIE),
        ([said(2), said(None, U), said(None, U)], 2, ""),  # the unsure do not vote
        ([said(None, U)], None, UNSURE),
        ([], None, NOBODY),
        ([said(1, R), said(1, W)], 1, ""),  # a right answer by a wrong step: the step is the judgement
        ([said(None, W), said(None, W), said(None, R)], None, ""),
    ],
)
def test_majority_of_the_first_error(judgements, first_error, reason):
    agreed = agreed_critique(judgements)
    assert agreed.reason == reason
    assert (agreed.critique is None) == bool(reason)
    if agreed.critique is not None:
        assert agreed.critique.first_error == first_error


def test_corrections_come_from_those_who_agree():
    agreed = agreed_critique(
        [
            said(1, name="a"),
            said(2, name="b", corrections={2: "no"}),
            said(1, name="c", corrections={1: "yes"}),
        ]
    )
    assert agreed.critique.corrections == {1: "yes"}
    assert agreed.sources == ("a", "b", "c")


# ------------------------------------------------------------------------------------------ agreement
def test_agreement_by_hand():
    # 20 yes-yes, 15 no-no, 5 yes-no, 10 no-yes: observed 0.7, expected 0.5 -> kappa 0.4
    first = ["y"] * 20 + ["n"] * 15 + ["y"] * 5 + ["n"] * 10
    second = ["y"] * 20 + ["n"] * 15 + ["n"] * 5 + ["y"] * 10
    assert percent_agreement(first, second) == 0.7
    assert cohen_kappa(first, second) == pytest.approx(0.4)


def test_kappa_at_its_ends():
    assert cohen_kappa([1, 2, 1], [1, 2, 1]) == 1
    assert cohen_kappa([1, 2], [2, 1]) == -1
    assert cohen_kappa([None, None], [None, None]) is None  # nothing but chance to explain
    with pytest.raises(ValueError, match="same items twice"):
        cohen_kappa([], [])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_kappa_is_symmetric_and_bounded(pairs):
    a, b = zip(*pairs, strict=True)
    kappa = cohen_kappa(a, b)
    if kappa is not None:
        assert -1 <= kappa <= 1
        assert math.isclose(kappa, cohen_kappa(b, a), abs_tol=1e-12)


def test_first_error_distance():
    assert first_error_distance([1, None, 3], [2, 1, 3]) == 0.5
    assert first_error_distance([None], [1]) is None

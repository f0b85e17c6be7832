"""What people are asked first, how their answers become one, and how far they agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.annotate.aggregate import NOBODY, TIE, UNSURE, agreed_critique
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

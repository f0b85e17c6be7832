"""How several people's answers become one."""

from dataclasses import replace

import pytest

from loop.annotate.aggregate import NOBODY, TIE, UNSURE, agreed_critique
from loop.records import Author, Critique, Mark, Verdict

R, W, U = Verdict.RIGHT, Verdict.WRONG, Verdict.UNKNOWN


def said(first_error: int | None, verdict: Verdict | None = None, name: str = "c", **more) -> Critique:
    verdict = verdict or (R if first_error is None else W)
    good = first_error if first_error is not None else 3 if verdict is R else 0
    marks = tuple(Mark.GOOD if i < good else Mark.WRONG if i == first_error else None for i in range(3))
    return Critique(name, "r", Author.PERSON, marks, first_error, verdict, **more)


def test_one_person_is_enough():
    agreed = agreed_critique([said(1)])
    assert agreed.critique.marks == (Mark.GOOD, Mark.WRONG, None)
    assert agreed.critique.first_error == 1


def test_a_step_one_was_unsure_of_gets_the_mark_another_gave_and_none_when_nobody_did():
    unsure = replace(said(2), marks=(None, Mark.GOOD, Mark.WRONG))
    assert agreed_critique([unsure]).critique.marks == (None, Mark.GOOD, Mark.WRONG)
    rated = replace(said(2), marks=(Mark.NEUTRAL, Mark.GOOD, Mark.WRONG))
    assert agreed_critique([unsure, rated]).critique.marks == (Mark.NEUTRAL, Mark.GOOD, Mark.WRONG)


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

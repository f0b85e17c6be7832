"""How far a person's answers may be relied upon: every figure by hand or as published."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.annotate.agreement import alpha
from loop.annotate.reliability import (
    Answered,
    Compared,
    Judged,
    anchoring,
    by_group,
    gold_accuracy,
    iso_week,
    preference_consistency,
    rate_difference,
    same_judgement,
    self_consistency,
    side_bias,
    throughput,
    trend,
)
from loop.evaluate.rates import accuracy
from loop.records import Verdict

R, W, U = Verdict.RIGHT, Verdict.WRONG, Verdict.UNKNOWN


def share(right: int, n: int):
    return accuracy([True] * right + [False] * (n - right))


# ------------------------------------------------------------------------------------------------ gold
def test_gold_by_hand():
    known = Judged(W, 2)
    said = [Judged(W, 2), Judged(W, 3), Judged(W, 0), Judged(R), Judged(U), Judged(U, 2)]
    gold = gold_accuracy([(known, s) for s in said] + [(Judged(R), Judged(R)), (Judged(R), Judged(W, 0))])
    assert (gold.verdict.value, gold.verdict.n, gold.verdict.errors) == (4 / 6, 6, 2)
    assert (gold.exact.value, gold.exact.n, gold.exact.errors) == (3 / 7, 7, 1)
    assert (gold.within_one.value, gold.within_one.n) == (4 / 7, 7)
    assert gold.within_one.ci95[0] < 4 / 7 < gold.within_one.ci95[1]


def test_no_error_is_not_an_error_in_step_0_nor_beside_the_last():
    gold = gold_accuracy([(Judged(R), Judged(W, 0)), (Judged(W, 0), Judged(R))])
    assert (gold.exact.value, gold.within_one.value) == (0, 0)


def test_the_same_judgement():
    assert same_judgement(Judged(W, 1), Judged(R, 1))  # a right answer by a wrong step: the step counts
    assert same_judgement(Judged(R), Judged(R))
    assert same_judgement(Judged(R), Judged(W)) is False
    assert same_judgement(Judged(R), Judged(R, 0)) is False
    assert same_judgement(Judged(U), Judged(R)) is None


# ------------------------------------------------------------------------------------- silent repeats
def test_self_consistency_by_hand():
    rate = self_consistency([(None, None), (1, 1), (1, None), (0, 2)])
    assert (rate.value, rate.n) == (0.5, 4)
    assert rate.ci95 == (pytest.approx(0.150, abs=1e-3), pytest.approx(0.850, abs=1e-3))  # Wilson
    assert self_consistency([]).value is None


def test_whoever_follows_the_side_is_consistent_only_unswapped():
    left = Compared(("a", "b"), "a")
    swapped = Compared(("b", "a"), "b")
    rates = preference_consistency([(left, swapped), (left, swapped), (left, left)])
    assert (rates.swapped.value, rates.swapped.n) == (0, 2)
    assert (rates.unswapped.value, rates.unswapped.n) == (1, 1)
    same = preference_consistency([(left, Compared(("b", "a"), "a")), (Compared(("a", "b"), None),) * 2])
    assert (same.swapped.value, same.unswapped.value) == (1, 1)


def test_what_is_no_comparison_and_no_repeat():
    for order, winner in ((("a",), "a"), (("a", "a"), "a"), (("a", "b"), "c")):
        with pytest.raises(ValueError, match=r"different responses|not displayed"):
            Compared(order, winner)
    with pytest.raises(ValueError, match="no repeat"):
        preference_consistency([(Compared(("a", "b"), "a"), Compared(("a", "c"), "a"))])


# ----------------------------------------------------------------------------------------------- sides
def test_side_bias_by_hand():
    compared = (
        [Compared(("a", "b"), "a")] * 9 + [Compared(("a", "b"), "b")] + [Compared(("a", "b"), None)] * 3
    )
    (row,) = side_bias(compared)
    assert (row.candidates, row.first.value, row.first.n, row.first.errors) == (2, 0.9, 10, 3)
    assert row.p_value == pytest.approx(2 * (10 + 1) / 2**10)  # 9 or 10 of 10, either side
    assert row.first.ci95 == (pytest.approx(0.596, abs=1e-3), pytest.approx(0.982, abs=1e-3))


def test_more_candidates_are_a_row_of_their_own_with_their_own_chance():
    four = [Compared(("a", "b", "c", "d"), "a")] + [Compared(("a", "b", "c", "d"), "c")] * 3
    two, more = side_bias([*four, Compared(("a", "b"), None)])
    assert (two.candidates, two.first.value, two.p_value) == (2, None, None)
    assert (more.candidates, more.first.value) == (4, 0.25)
    assert more.p_value == pytest.approx(1)  # one in four is just what chance gives


# ------------------------------------------------------------------------------------------- anchoring
@pytest.mark.parametrize(
    ("first", "second", "interval"),
    [  # Newcombe (1998), table II, method 10
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
        ((10, 10), (0, 10), (0.6075, 1.0)),
    ],
)
def test_the_published_intervals_of_a_difference(first, second, interval):
    difference = rate_difference(share(*first), share(*second))
    assert difference.value == pytest.approx(first[0] / first[1] - second[0] / second[1])
    assert difference.ci95 == (pytest.approx(interval[0], abs=1e-4), pytest.approx(interval[1], abs=1e-4))


def test_anchoring_is_shown_minus_withheld():
    answers = [(True, True)] * 3 + [(True, False), (False, True), (False, False), (False, None)]
    effect = anchoring(answers)
    assert effect.value == pytest.approx(0.25)
    assert (effect.first.n, effect.second.n, effect.second.errors) == (4, 2, 1)
    assert anchoring([(True, True)]).value is None
    assert anchoring([(True, True)]).ci95 is None


# ----------------------------------------------------------------------------------------------- drift
def test_weeks_by_iso_8601():
    assert iso_week(date(2027, 1, 3)) == "2026-W53"  # a Sunday that still belongs to the old year
    assert iso_week(date(2026, 1, 5)) == "2026-W02"


def test_groups_by_key_with_any_figure():
    rows = [("2026-W10", True), ("2026-W09", False), ("2026-W10", False), ("2026-W10", None)]
    (old, first), (new, second) = by_group(rows, accuracy)
    assert (old, first.value, first.n, new, second.value, second.n, second.errors) == (
        *("2026-W09", 0, 1),
        *("2026-W10", 0.5, 2, 1),
    )
    agreed = by_group([(2, {"a": 1, "b": 1}), (1, {"a": 1, "b": 2}), (2, {"a": 2, "b": 2})], alpha)
    assert [(version, figure.value) for version, figure in agreed] == [(1, 0), (2, 1)]


def test_the_published_trend():
    # Graubard and Korn (1987): malformations by the mother's drinks a day. One-sided asymptotic p of the
    # Cochran-Armitage test: 0.0039 with these scores, 0.0882 with equally spaced ones (StatXact, example 6).
    healthy, malformed = (17066, 14464, 788, 126, 37), (48, 38, 5, 1, 1)

    def rows(scores):
        for x, no, yes in zip(scores, healthy, malformed, strict=True):
            yield from [(x, False)] * no
            yield from [(x, True)] * yes

    assert trend(rows((0, 0.5, 1.5, 4, 8))).p_value / 2 == pytest.approx(0.0039, abs=5e-5)
    assert trend(rows((1, 2, 3, 4, 5))).p_value / 2 == pytest.approx(0.0882, abs=5e-5)


def test_a_trend_by_hand():
    # week 0: 1 of 2, week 1: 2 of 2; slope 0.5; r = 1/sqrt(3), n r2 = 4/3
    found = trend([(0, True), (0, False), (1, True), (1, True), (5, None)])
    assert (found.slope, found.n) == (pytest.approx(0.5), 4)
    assert found.p_value == pytest.approx(0.2482, abs=1e-4)  # chi2.sf(4 / 3, 1)


@pytest.mark.parametrize(
    ("rows", "slope", "reason"),
    [
        ([], None, "nothing was scored"),
        ([(1, None)], None, "nothing was scored"),
        ([(1, True), (1, False)], None, "one time"),
        ([(1, True), (2, True)], 0, "always the same"),
    ],
)
def test_a_trend_that_is_not_defined_says_why(rows, slope, reason):
    found = trend(rows)
    assert (found.slope, found.p_value) == (slope, None)
    assert reason in found.reason


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans())))
def test_a_trend_turns_with_its_outcome(rows):
    found, turned = trend(rows), trend([(x, not y) for x, y in rows])
    if found.p_value is None:
        assert turned.p_value is None
    else:
        assert 0 <= found.p_value <= 1
        assert turned.slope == pytest.approx(-found.slope)
        assert turned.p_value == pytest.approx(found.p_value)


# ------------------------------------------------------------------------------------------------ pace
def test_throughput_by_hand():
    answers = [
        Answered(10, (2, 4)),
        Answered(20, (6, 0)),  # a step nobody looked at has no time
        Answered(4000, (500,)),  # away: counts as 60, the step as 30
        Answered(None, ()),
    ]
    pace = throughput(answers, item_cap=60, step_cap=30)
    assert (pace.n, pace.untimed, pace.capped, pace.seconds) == (3, 1, 2, 90)
    assert pace.per_hour == 120
    assert (pace.median_item, pace.median_step) == (20, 5)


def test_no_time_is_no_pace():
    pace = throughput([Answered(None), Answered(0)])
    assert (pace.n, pace.per_hour, pace.median_item, pace.median_step) == (0, None, None, None)

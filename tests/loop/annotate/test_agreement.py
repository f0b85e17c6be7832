"""How far people agree: published examples, cases by hand, and what must hold whatever they say."""

import math
from itertools import combinations

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from loop.annotate.agreement import (
    NO_PAIRS,
    ONE_ANSWER,
    FirstErrors,
    agreement_share,
    alpha,
    alphas,
    cohen_kappa,
    first_error_alpha,
    first_error_distance,
    first_error_share,
    kappa_figure,
    near,
    percent_agreement,
)
from loop.annotate.pairs import first_error_pairs, pairwise

_ = None
# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: four observers, twelve units.
OBSERVERS = {
    "a": [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    "b": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    "c": [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    "d": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
}
UNITS = [{who: said[i] for who, said in OBSERVERS.items() if said[i] is not None} for i in range(12)]


# ---------------------------------------------------------------------------------------------- alpha
@pytest.mark.parametrize(("metric", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_the_published_example(metric, value):
    figure = alpha(UNITS, metric)
    assert round(figure.value, 3) == value
    assert figure.n == 11  # the last unit has one answer: it pairs with nothing
    assert figure.ci95[0] < figure.value < figure.ci95[1] <= 1


def test_alpha_by_hand():
    # Krippendorff (2011), section A: two observers, ten units, values 0 and 1; six units agree.
    # Coincidences: 00 10, 01 = 10 4, 11 2; n = 14 and 6: 1 - 19 * 4 / (14 * 6) = 0.095
    first, second = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    items = [{"a": a, "b": b} for a, b in zip(first, second, strict=True)]
    assert alpha(items).value == pytest.approx(1 - 19 * 4 / (14 * 6))
    assert round(alpha(items).value, 3) == 0.095


def test_words_are_as_good_as_numbers_where_order_does_not_matter():
    words = {1: "right", 2: "wrong", 3: None, 4: ("x", 1), 5: 0}  # None is an answer, not a gap
    renamed = [{who: words[v] for who, v in unit.items()} for unit in UNITS]
    assert alpha(renamed).value == pytest.approx(alpha(UNITS).value)


@pytest.mark.parametrize(
    ("items", "n", "reason"),
    [
        ([], 0, NO_PAIRS),
        ([{"a": 1}, {"b": 2}, {}], 0, NO_PAIRS),
        ([{"a": 1, "b": 1}, {"a": 1, "b": 1}], 2, ONE_ANSWER),
        ([{"a": 1, "b": 1}, {"a": 2}], 1, ONE_ANSWER),  # who stands alone adds no variety
    ],
)
def test_alpha_that_is_not_defined_says_why(items, n, reason):
    figure = alpha(items)
    assert (figure.value, figure.n, figure.ci95, figure.reason) == (None, n, None, reason)


def test_perfect_agreement_and_a_single_item_get_no_interval():
    perfect = alpha([{"a": i % 2, "b": i % 2} for i in range(20)])
    assert (perfect.value, perfect.ci95) == (1, None)
    assert alpha([{"a": 0, "b": 1}]).ci95 is None


def test_an_interval_needs_resamples_in_which_alpha_is_defined():
    # one item in ten has the rare answer: a third of the resamples miss it and vary in nothing
    assert alpha([{"a": 0, "b": 0}] * 9 + [{"a": 1, "b": 1}]).ci95 is None


def test_the_interval_is_reproducible_by_its_seed_and_narrows_with_items():
    assert alpha(UNITS, seed=3) == alpha(UNITS, seed=3)
    assert alpha(UNITS, seed=3) != alpha(UNITS, seed=4)
    few, many = alpha(UNITS).ci95, alpha(UNITS * 25).ci95
    assert (many[1] - many[0]) < (few[1] - few[0]) / 4  # 1 / sqrt(25), give or take
    assert many[0] < alpha(UNITS * 25).value < many[1]


TABLES = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 4), min_size=2), min_size=2, max_size=12
)


@given(TABLES, st.sampled_from(["nominal", "ordinal", "interval"]), st.data())
def test_many_resamples_at_once_are_what_the_library_says_of_each(items, metric, data):
    domain = sorted({v for item in items for v in item.values()})
    assume(len(domain) > 1)
    patterns = np.array([[list(item.values()).count(v) for v in domain] for item in items])
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(items), max_size=len(items)))
    drawn = np.repeat(patterns, times, axis=0)
    assume(drawn.any(axis=0).sum() > 1)
    values = np.array(domain, dtype=float)
    one = krippendorff.alpha(value_counts=drawn, value_domain=values, level_of_measurement=metric)
    assert alphas(patterns, np.array([times]), values, metric)[0] == pytest.approx(one)


def test_a_table_too_large_for_the_library_gives_the_same(monkeypatch):
    by_library = [alpha(UNITS, metric) for metric in ("nominal", "ordinal", "interval")]
    monkeypatch.setattr("loop.annotate.agreement.LIBRARY_CELLS", 0)
    for metric, figure in zip(("nominal", "ordinal", "interval"), by_library, strict=True):
        assert alpha(UNITS, metric).value == pytest.approx(figure.value)


def test_as_many_different_answers_as_items_fit_into_the_memory():
    items = [{"a": f"x{i}", "b": f"x{i}" if i % 2 else f"y{i}"} for i in range(800)]
    figure = alpha(items)
    assert figure.value == pytest.approx(0.5, abs=0.001)
    error = 1.96 * math.sqrt(1 / 4 / 800)  # chance agrees on next to nothing: alpha is the share that agrees
    assert figure.ci95 == (pytest.approx(0.5 - error, abs=0.01), pytest.approx(0.5 + error, abs=0.01))


@given(TABLES, st.sampled_from(["nominal", "ordinal", "interval"]))
def test_alpha_is_at_most_one_and_does_not_mind_who_said_what_first(items, metric):
    figure = alpha(items, metric, resamples=10)
    turned = [dict(reversed(item.items())) for item in reversed(items)]
    again = alpha(turned, metric, resamples=10)
    if figure.value is None:
        assert again.value is None
        assert again.reason == figure.reason
    else:
        assert figure.value <= 1 + 1e-12
        assert again.value == pytest.approx(figure.value)


# -------------------------------------------------------------------------------------- first errors
def test_no_error_lies_after_the_last_step_and_is_never_step_0():
    seen = FirstErrors(4, {"a": 0, "b": None, "c": 3})
    assert seen.positions() == {"a": 0, "b": 4, "c": 3}
    early = [FirstErrors(4, {"a": 0, "b": None}), FirstErrors(4, {"a": 3, "b": 3})]
    late = [FirstErrors(4, {"a": 3, "b": None}), FirstErrors(4, {"a": 0, "b": 0})]
    assert first_error_alpha(late).value > first_error_alpha(early).value


def test_alpha_of_the_first_error_by_hand():
    # positions 1-1, 3-4 (no error of four steps): n = 1 twice, 3, 4
    # observed 2 * 1 = 2; expected 2 * (2*4 + 2*9 + 1) / 3 = 18; alpha = 1 - 2/18
    items = [FirstErrors(4, {"a": 1, "b": 1}), FirstErrors(4, {"a": 3, "b": None})]
    assert first_error_alpha(items).value == pytest.approx(1 - 2 / 18)
    # nominal: observed 2; expected (4*3 - 2)/3 = 10/3; 1 - 2/(10/3)
    assert first_error_alpha(items, "nominal").value == pytest.approx(1 - 2 * 3 / 10)


def test_no_error_is_one_answer_whatever_the_length():
    items = [FirstErrors(2, {"a": None, "b": None}), FirstErrors(9, {"a": None, "b": None})]
    assert first_error_alpha(items, "nominal").reason == ONE_ANSWER


@pytest.mark.parametrize("position", [-1, 3])
def test_a_position_outside_the_response_is_refused(position):
    with pytest.raises(ValueError, match="3 steps"):
        FirstErrors(3, {"a": position})


def test_near_by_hand():
    assert near(2, 3, 1)
    assert not near(2, 4, 1)
    assert near(None, None, 0)
    assert not near(None, 0, 5)
    assert not near(3, None, 5)


def test_shares_over_everybody_by_hand():
    items = [
        FirstErrors(5, {"a": 1, "b": 1, "c": 2}),
        FirstErrors(5, {"a": None, "b": 4}),
        FirstErrors(5, {}),
    ]
    exact, beside = first_error_share(items), first_error_share(items, within=1)
    assert (exact.value, exact.n) == (1 / 4, 2)  # pairs: ab of abc, and none of ab
    assert beside.value == 3 / 4
    assert first_error_share([]).reason == NO_PAIRS
    assert agreement_share([{"a": "x", "b": "x"}, {"a": "x", "b": "y"}]).value == 0.5
    assert agreement_share([{"a": "x", "b": "x"}, {"a": "x", "b": "y"}]).ci95 == (0, 1)


def test_first_error_distance():
    assert first_error_distance([1, None, 3], [2, 1, 3]) == 0.5
    assert first_error_distance([None], [1]) is None


# ------------------------------------------------------------------------------------- two at a time
def crossed(yes_yes: int, yes_no: int, no_yes: int, no_no: int) -> tuple[list[str], list[str]]:
    first = ["y"] * (yes_yes + yes_no) + ["n"] * (no_yes + no_no)
    return first, ["y"] * yes_yes + ["n"] * yes_no + ["y"] * no_yes + ["n"] * no_no


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ((20, 5, 10, 15), 0.4),  # observed 0.7, expected 0.5
        ((45, 15, 25, 15), 0.06 / 0.46),  # observed 0.6, expected 0.6 * 0.7 + 0.4 * 0.3
        ((25, 35, 5, 35), 0.14 / 0.54),  # observed 0.6, expected 0.6 * 0.3 + 0.4 * 0.7
    ],
)
def test_kappa_by_hand(table, kappa):
    first, second = crossed(*table)
    assert cohen_kappa(first, second) == pytest.approx(kappa)
    assert percent_agreement(first, second) == (table[0] + table[3]) / sum(table)


def test_the_interval_of_kappa_is_near_that_of_the_large_sample_formula():
    # Fleiss, Cohen and Everitt (1969), by hand for 80/20/40/60 of 200: diagonal 0.4 * 0.34² + 0.3 * 0.46²,
    # off it 0.6² (0.1 * 1.1² + 0.2 * 0.9²), minus (0.4 - 0.5 * 0.6)²: 0.2016
    error = math.sqrt(0.2016 / (200 * 0.5**2))
    figure = kappa_figure(*crossed(80, 20, 40, 60), resamples=4000)
    assert figure.value == pytest.approx(0.4)
    assert figure.ci95 == (
        pytest.approx(0.4 - 1.96 * error, abs=0.01),
        pytest.approx(0.4 + 1.96 * error, abs=0.01),
    )


def test_kappa_at_its_ends():
    assert cohen_kappa([1, 2, 1], [1, 2, 1]) == 1
    assert cohen_kappa([1, 2], [2, 1]) == -1
    assert cohen_kappa([None, None], [None, None]) is None  # nothing but chance to explain
    assert kappa_figure([None, None], [None, None]).reason == ONE_ANSWER
    for kappa in (cohen_kappa, kappa_figure):
        with pytest.raises(ValueError, match="same items twice"):
            kappa([], [])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_kappa_is_symmetric_and_bounded(pairs):
    a, b = zip(*pairs, strict=True)
    kappa = cohen_kappa(a, b)
    if kappa is not None:
        assert -1 <= kappa <= 1
        assert math.isclose(kappa, cohen_kappa(b, a), abs_tol=1e-12)


def test_the_table_of_pairs_by_hand():
    items = [{"ann": 1, "bob": 1, "eve": 2}, {"bob": 1, "ann": 2}, {"ann": 2, "bob": 2}, {"eve": 1}]
    rows = {row.people: row for row in pairwise(items)}
    assert list(rows) == [("ann", "bob"), ("ann", "eve"), ("bob", "eve")]
    pair = rows["ann", "bob"]
    assert (pair.n, pair.agreement.value) == (3, pytest.approx(2 / 3))
    assert pair.agreement.ci95 == (pytest.approx(0.2077, abs=1e-4), pytest.approx(0.9385, abs=1e-4))
    # ann 1 2 2, bob 1 1 2: observed 2/3, expected (1*2 + 2*1)/9 = 4/9
    assert pair.kappa.value == pytest.approx((2 / 3 - 4 / 9) / (5 / 9))
    assert (rows["ann", "eve"].n, rows["ann", "eve"].agreement.value) == (1, 0)


def test_the_table_of_first_error_pairs_by_hand():
    items = [
        FirstErrors(5, {"ann": 1, "bob": 2}),
        FirstErrors(5, {"ann": None, "bob": None}),
        FirstErrors(5, {"bob": 4, "ann": None}),
        FirstErrors(5, {"ann": 0, "bob": 3}),
    ]
    (row,) = first_error_pairs(items)
    assert (row.people, row.n) == (("ann", "bob"), 4)
    assert (row.exact.value, row.within_one.value, row.distance) == (0.25, 0.5, 2.0)


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)), max_size=8))
def test_the_pairs_of_the_table_are_those_who_met(items):
    met = {frozenset(pair) for item in items for pair in combinations(item, 2)}
    rows = pairwise(items, resamples=5)
    assert {frozenset(row.people) for row in rows} == met
    assert len(rows) == len(met)
    assert sum(row.n for row in rows) == sum(math.comb(len(item), 2) for item in items)

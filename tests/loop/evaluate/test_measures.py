"""Rates, pass@k, maj@k, paired tests, correction matrix: hand-computed cases."""

import random
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.evaluate import (
    CorrectionMatrix,
    accuracy,
    correction_matrix,
    maj_at_k,
    mcnemar,
    outcome_of,
    paired,
    paired_bootstrap,
    pass_at_k,
)
from loop.records import Response, Verdict


def test_an_error_is_no_score_and_silence_is_wrong():
    said, silent = Response("r", "p", "4", (), answer="4"), Response("r", "p", "hm", ())
    assert [outcome_of(v, said) for v in Verdict] == [True, False, None, None]
    assert [outcome_of(v, silent) for v in Verdict] == [True, False, False, None]


def test_accuracy_leaves_errors_out_and_counts_them():
    rate = accuracy([True, True, False, None, True])
    assert (rate.value, rate.n, rate.errors) == (0.75, 4, 1)
    assert accuracy([None]).value is None
    assert accuracy([]).ci95 is None


def test_the_wilson_interval():
    # 8 of 10: centre (0.8 + z2/20) / (1 + z2/10), z = 1.96 -> 0.490 .. 0.943 (Wilson, 1927)
    low, high = accuracy([True] * 8 + [False] * 2).ci95
    assert (low, high) == (pytest.approx(0.4901, abs=1e-3), pytest.approx(0.9433, abs=1e-3))
    assert accuracy([True] * 5).ci95[1] == 1.0
    assert accuracy([False] * 5).ci95[0] == 0.0


def test_pass_at_k():
    assert pass_at_k(8, 2, 4) == pytest.approx(0.7857, abs=1e-4)
    assert pass_at_k(8, 0, 8) == 0
    assert pass_at_k(8, 5, 4) == 1  # fewer than 4 wrong ones: any 4 hold a right one
    assert pass_at_k(1, 1, 1) == 1
    with pytest.raises(ValueError, match="1 <= k <= n"):
        pass_at_k(3, 1, 4)


@given(st.integers(1, 12), st.data())
def test_pass_at_k_is_the_mean_over_subsets_and_grows_with_k(n, data):
    right = data.draw(st.integers(0, n))
    values = [pass_at_k(n, right, k) for k in range(1, n + 1)]
    assert values[0] == pytest.approx(right / n)
    assert values == sorted(values)
    assert all(v == pytest.approx(1 - comb(n - right, k) / comb(n, k)) for k, v in enumerate(values, 1))


def test_maj_at_k():
    assert maj_at_k(["4", "5", "4"], [True, False, True], 3) == 1
    assert maj_at_k(["5", "5", "4"], [False, False, True], 3) == 0
    assert maj_at_k(["5", "4"], [False, True], 2) == 0.5  # a tie is shared out
    assert maj_at_k([None, None, "4"], [False, False, True], 3) == 1  # silence does not vote
    assert maj_at_k([None, "4"], [False, True], 1) == 0
    with pytest.raises(ValueError, match="maj@3"):
        maj_at_k(["4"], [True], 3)


def test_pairing_leaves_out_what_one_side_lacks():
    a, b, left_out = paired(
        {"x": True, "y": None, "z": False, "w": True}, {"x": False, "y": True, "z": False}
    )
    assert (a, b, left_out) == ([True, False], [False, False], 2)


def test_mcnemar_is_the_exact_binomial_of_the_flips():
    before = [True] * 2 + [False] * 8 + [True] * 5
    after = [False] * 2 + [True] * 8 + [True] * 5
    test = mcnemar(before, after)
    assert (test.gained, test.lost) == (8, 2)
    assert test.p_value == pytest.approx(2 * (1 + 10 + 45) / 1024)  # 0.109375
    assert mcnemar([True, False], [True, False]).p_value == 1.0


def test_the_bootstrap_interval_matches_resampling_by_hand():
    rng = random.Random(3)
    before = [rng.random() < 0.5 for _ in range(300)]
    after = [b or rng.random() < 0.2 for b in before]
    found = paired_bootstrap(before, after, seed=1)
    difference = [y - x for x, y in zip(before, after, strict=True)]
    assert found.effect == pytest.approx(sum(difference) / 300)
    means = sorted(sum(rng.choices(difference, k=300)) / 300 for _ in range(4000))
    assert found.ci95 == (pytest.approx(means[100], abs=0.008), pytest.approx(means[3900], abs=0.008))
    assert found == paired_bootstrap(before, after, seed=1)
    with pytest.raises(ValueError, match="equally many"):
        paired_bootstrap([], [])


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = random.Random(5)
    hits = 0
    for trial in range(200):
        before = [rng.random() < 0.5 for _ in range(200)]
        after = [rng.random() < 0.6 for _ in range(200)]
        low, high = paired_bootstrap(before, after, seed=trial, resamples=1000).ci95
        hits += low <= 0.1 <= high
    assert 180 <= hits <= 199


def test_the_correction_matrix():
    pairs = [(False, True), (False, True), (True, False), (True, True), (False, False), (None, True)]
    matrix = correction_matrix(pairs)
    assert matrix == CorrectionMatrix(2, 1, 1, 1, errors=1)
    assert matrix.n == 5

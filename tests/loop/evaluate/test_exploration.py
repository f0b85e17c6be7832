"""Exploration and exploitation, by hand."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from loop.evaluate.exploration import (
    balance_score,
    confident_wrong,
    correlation,
    exploitation_gap,
    rank_correlation,
    within,
)
from loop.evaluate.resample import NOTHING, Resamples
from tests.loop.evaluate.columns import NAN, samples_of


def test_the_balance_score_of_b_star():
    # A keeps 4 of which 3 are right, B keeps 10 with 8, C none, D was never scored.
    samples = samples_of(
        [1, 1, 1, 0], [1] * 8 + [0] * 2, [1, 0], [NAN], accepted=[[1] * 4, [1] * 10, [0, 0], [1]]
    )
    found = balance_score(samples)
    assert found.tolist() == pytest.approx([3 * 0.75 / 8, 0.8, 0.0, NAN], nan_ok=True)
    assert found[:2].mean() == pytest.approx(0.540625)
    assert balance_score(samples, wanted=4)[0] == pytest.approx(3 / 4 * 3 / 4)


def test_the_exploitation_gap():
    best, once, often = np.array([1.0, 0, 1, NAN]), np.array([0.5, 0.25, 0.75, 0]), np.array([1.0, 1, 1, 1])
    found = exploitation_gap(Resamples(4), best, once, often)
    assert (found.value, found.n) == (pytest.approx((3 - 2) / (3 - 1.5)), 3)
    assert exploitation_gap(Resamples(2), *np.ones((3, 2))) == NOTHING  # more tries find no more


def test_sure_and_wrong():
    found = confident_wrong(np.array([0.75, 0.8, 0.7, 0.9]), np.array([0.0, 1.0, 0.0, NAN]))
    assert found.tolist() == pytest.approx([1, 0, 0, NAN], nan_ok=True)


def test_correlations_are_scipy_s():
    rng = np.random.default_rng(1)
    x = rng.normal(1000, 1, size=60)
    y = x.round() + rng.normal(0, 1, size=60)
    y[:5] = NAN
    draws = Resamples(60)
    assert correlation(draws, x, y).value == pytest.approx(pearsonr(x[5:], y[5:]).statistic)
    ranked = rank_correlation(draws, x.round(), y)
    assert ranked.value == pytest.approx(spearmanr(x[5:].round(), y[5:]).statistic)
    assert ranked.ci95[0] < ranked.value < ranked.ci95[1]
    assert (
        correlation(draws, x, np.ones(60))
        == correlation(draws, x[:2].repeat(30), np.full(60, NAN))
        == NOTHING
    )


def test_length_and_score_within_prompts():
    # Within both prompts the longer sample has the higher score; between them it is the other way round.
    samples = samples_of([1, 0], [1, 0, 1])
    score = np.array([0.8, 0.9, 0.1, 0.2, NAN])
    tokens = np.array([10.0, 12, 100, 102, 500])
    found = within(Resamples(2), samples, score, tokens)
    assert (found.value, found.n) == (pytest.approx(1), 2)
    assert within(Resamples(2), samples, np.ones(5), tokens) == NOTHING

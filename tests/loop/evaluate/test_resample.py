"""The bootstrap over prompts: what it draws, and how often its intervals hold the truth."""

import numpy as np
import pytest

from loop.evaluate.resample import NOTHING, Resamples


def test_every_draw_has_n_prompts_and_is_the_same_each_time():
    draws = Resamples(7, seed=3)
    ones, first = np.ones(7), np.arange(7.0)
    assert (draws.sums(ones) == 7).all()
    assert (draws.sums(first) == Resamples(7, seed=3).sums(first)).all()
    assert (draws.sums(first) != Resamples(7, seed=4).sums(first)).any()
    assert draws.sums(ones, first).shape == (1000, 2)


def test_draws_are_the_same_whether_they_are_kept_or_made_anew(monkeypatch):
    kept = Resamples(50, seed=1).sums(np.arange(50.0))
    monkeypatch.setattr("loop.evaluate.resample.KEPT", 0)
    monkeypatch.setattr("loop.evaluate.resample.DRAWN_AT_ONCE", 120)
    draws = Resamples(50, seed=1)
    assert (draws.sums(np.arange(50.0)) == kept).all()
    assert (draws.sums(np.arange(50.0)) == kept).all()


def test_means_and_ratios_by_hand():
    draws = Resamples(4)
    assert draws.mean(np.array([1.0, 2.0, np.nan, 6.0]))[::2] == (3.0, 3)
    assert draws.ratio(np.array([1.0, 0, 2, 0]), np.array([2.0, 0, 4, 2]))[::2] == (0.375, 3)
    after, before = np.array([1.0, 1, 0, np.nan]), np.array([0.0, 1, np.nan, 1])
    assert draws.difference(after, before)[::2] == (0.5, 2)


def test_the_mean_s_interval_is_that_of_its_standard_error():
    values = np.random.default_rng(0).normal(10, 2, size=400)
    low, high = Resamples(400).mean(values).ci95
    half = 1.96 * values.std(ddof=1) / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_a_share_of_all_or_none_keeps_the_doubt_of_few_prompts():
    draws = Resamples(10)
    assert draws.share(np.full(10, 4.0), np.full(10, 4.0)).ci95 == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert draws.mean_share(np.zeros(10)).ci95 == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert Resamples(1).share(np.ones(1), np.full(1, 2.0)) == (0.5, None, 1)


def test_what_is_not_defined():
    draws = Resamples(40)
    assert draws.mean(np.full(40, np.nan)) == NOTHING
    one = np.zeros(40)
    one[0] = 1.0  # in a third of the draws this prompt is missing, and with it the whole
    assert draws.ratio(one, one) == (1.0, None, 1)
    with pytest.raises(ValueError, match="at least one prompt"):
        Resamples(0)
    with pytest.raises(ValueError, match="columns of 3"):
        draws.sums(np.ones(3))


@pytest.mark.parametrize("prompts", [40, 200])
def test_intervals_hold_the_truth_as_often_as_they_say(prompts):
    """Eight samples of each prompt, whose chance to be right is the prompt's own, Beta(1, 2): samples of one
    prompt are alike. Mean, ratio (some samples are not scored) and a paired difference."""
    rng = np.random.default_rng(17)
    runs, held, draws = 400, np.zeros(3), Resamples(prompts, resamples=400)
    for _ in range(runs):
        chance = rng.beta(1, 2, size=prompts)
        scored = rng.integers(2, 9, size=prompts)
        right = rng.binomial(scored, chance)
        again = rng.binomial(8, 0.9 * chance + 0.1) / 8  # 0.1 + 0.9 / 3 on average: 1/15 above 1/3
        truths = (1 / 3, 1 / 3, 1 / 15)
        found = (
            draws.mean(right / scored),
            draws.ratio(right.astype(float), scored.astype(float)),
            draws.difference(again, right / scored),
        )
        held += [low <= truth <= high for truth, (_, (low, high), _) in zip(truths, found, strict=True)]
    assert ((held / runs > 0.90) & (held / runs < 0.98)).all(), held / runs

"""Calibration, by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from loop.evaluate.calibration import auroc, brier, ece, reliability, risk_coverage, usable
from loop.evaluate.resample import NOTHING, Resamples
from tests.loop.evaluate.columns import NAN, samples_of

SAID = np.array([0.9, 0.95, 1.0, 0.25, 0.2])
RIGHT = np.array([1.0, 1, 0, 0, 1])
PROMPT = np.array([0, 0, 1, 1, 1])


def test_the_reliability_curve():
    bins = reliability(SAID, RIGHT)
    assert [b["n"] for b in bins] == [0, 0, 2, 0, 0, 0, 0, 0, 0, 3]
    assert bins[9] == {
        "low": 0.9, "high": 1.0, "n": 3, "confidence": pytest.approx(0.95), "accuracy": pytest.approx(2 / 3)
    }  # fmt: skip
    assert bins[0]["confidence"] is None


def test_the_calibration_error():
    # 3/5 |2/3 - 0.95| + 2/5 |1/2 - 0.225|; prompts that are all alike show no chance that could be taken off
    found = ece(Resamples(20), np.repeat(np.arange(20), 5), np.tile(SAID, 20), np.tile(RIGHT, 20))
    assert found == (pytest.approx(0.28), (pytest.approx(0.28), pytest.approx(0.28)), 20)
    assert ece(Resamples(1), np.zeros(5, dtype=int), SAID, RIGHT) == (pytest.approx(0.28), None, 1)


def test_what_chance_adds_to_the_calibration_error_is_taken_off():
    # Two prompts of one sample, in bins of their own, off by -0.6 and 0.7: 0.65. Of four draws one is twice
    # the first, 0.6; one twice the second, 0.7; two are both: on average 0.65, so nothing is taken off.
    said, right, prompt = np.array([0.6, 0.3]), np.array([0.0, 1.0]), np.arange(2)
    assert ece(Resamples(2), prompt, said, right).value == pytest.approx(0.65, abs=0.005)
    # In one bin, off by -0.65 and 0.35: |-0.3| / 2. Draws: 0.65, 0.35 and twice 0.15: 0.325, so 0.15 - 0.175.
    found = ece(Resamples(2), prompt, np.array([0.65, 0.65]), right)
    assert (found.value, found.ci95[0]) == (0.0, 0.0)


@pytest.mark.parametrize(("off", "truth"), [(0.0, 0.0), (0.05, 0.04875), (0.2, 0.18)])
def test_the_interval_of_the_calibration_error_holds_the_truth(off, truth):
    """Confidences drawn from 0..1, a fiftieth of 50 prompts with 4 samples, overstated by this much."""
    rng, runs = np.random.default_rng(6), 200
    prompt, draws = np.repeat(np.arange(50), 4), Resamples(50, resamples=200)
    held, values = 0, []
    for _ in range(runs):
        said = rng.random(200)
        right = (rng.random(200) < said - off).astype(float)
        value, (low, high), _ = ece(draws, prompt, said, right)
        held += low <= truth <= high
        values.append(value)
    assert held / runs >= 0.92
    plain = 0.07 if off == 0 else 0.083  # on average, where the bias is left in
    assert abs(np.mean(values) - truth) < max(0.01, 0.65 * abs(plain - truth))


def test_brier_and_auroc_are_scikit_learn_s():
    draws = Resamples(2)
    squares = [0.1**2, 0.05**2, 1, 0.25**2, 0.8**2]
    assert brier(draws, PROMPT, SAID, RIGHT).value == pytest.approx(sum(squares) / 5)
    assert brier(draws, PROMPT, SAID, RIGHT).value == pytest.approx(brier_score_loss(RIGHT, SAID))
    # right ones .9 .95 .2, wrong ones 1 .25: two of six pairs are in order
    assert auroc(draws, PROMPT, SAID, RIGHT).value == pytest.approx(2 / 6)
    rng = np.random.default_rng(2)
    said, right = rng.integers(0, 9, size=300) / 10, rng.integers(0, 2, size=300).astype(float)
    found = auroc(Resamples(100), np.repeat(np.arange(100), 3), said, right)
    assert found.value == pytest.approx(roc_auc_score(right, said))
    assert auroc(draws, PROMPT, SAID, np.ones(5)) == auroc(draws, PROMPT, SAID, np.zeros(5)) == NOTHING


def test_risk_and_coverage():
    assert risk_coverage(SAID, RIGHT) == pytest.approx(
        np.array([[0.2, 1], [0.4, 0.5], [0.6, 1 / 3], [0.8, 0.5], [1, 0.4]])
    )
    assert risk_coverage(np.full(4, 0.5), np.array([1.0, 1, 1, 0])) == [[1.0, 0.25]]  # answered together
    assert len(risk_coverage(np.linspace(0, 1, 500), np.ones(500))) == 20


def test_what_is_no_confidence():
    samples = samples_of([1, NAN, 0])
    assert usable(samples, np.array([0.5, 0.5, NAN])).tolist() == [True, False, False]
    assert usable(samples, np.array([0.5, 0.5, 1.5])) is None
    assert usable(samples, np.full(3, NAN)) is None


def test_the_interval_of_auroc_holds_the_truth():
    """Normal scores a unit apart, and a shift that each prompt has; the truth by simulation."""
    rng = np.random.default_rng(5)

    def drawn(prompts):
        right = rng.integers(0, 2, size=(prompts, 8)).astype(float)
        raw = right + rng.normal(0, 1, size=(prompts, 8)) + rng.normal(0, 0.7, size=(prompts, 1))
        return 1 / (1 + np.exp(-raw)), right

    truth = roc_auc_score(*(column.ravel() for column in reversed(drawn(40_000))))
    runs, held, prompt, draws = 200, 0, np.repeat(np.arange(80), 8), Resamples(80, resamples=400)
    for _ in range(runs):
        said, right = drawn(80)
        low, high = auroc(draws, prompt, said.ravel(), right.ravel()).ci95
        held += low <= truth <= high
    assert 0.90 <= held / runs <= 0.98

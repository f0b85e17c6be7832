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
    # 3/5 |2/3 - 0.95| + 2/5 |1/2 - 0.225|
    found = ece(Resamples(2), PROMPT, SAID, RIGHT)
    assert (found.value, found.n) == (pytest.approx(0.6 * 0.28333333 + 0.4 * 0.275), 2)


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
    runs, held, prompt = 200, 0, np.repeat(np.arange(80), 8)
    for run in range(runs):
        said, right = drawn(80)
        low, high = auroc(Resamples(80, seed=run, resamples=400), prompt, said.ravel(), right.ravel()).ci95
        held += low <= truth <= high
    assert 0.90 <= held / runs <= 0.98

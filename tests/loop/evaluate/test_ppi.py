"""Prediction-powered means: against the authors' library, and by simulation."""

import numpy as np
import pytest

from loop.evaluate.ppi import ppi_mean

LABELS = [1, 1, 0, 1, 0, 1, 1, 0, 1, 1]
JUDGED = [1, 1, 0, 1, 1, 1, 0, 0, 1, 1]
OTHERS = [1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("weight", "value", "low", "high"),  # of ppi-python 0.2.3: ppi_mean_pointestimate and ppi_mean_ci
    [
        (0.0, 0.7, 0.41597423491067465, 0.9840257650893253),
        (0.5, 0.725, 0.4650275666025583, 0.9849724333974417),
        (1.0, 0.75, 0.4140790973191904, 1.0859209026808097),
    ],
)
def test_equals_the_authors_library(weight, value, low, high):
    assert ppi_mean(LABELS, JUDGED, OTHERS, weight).value == pytest.approx(value)
    # A hundred times as much of the same: intervals a tenth as wide, and two units more hardly count.
    found = ppi_mean(LABELS * 100, JUDGED * 100, OTHERS * 100, weight)
    half = (high - low) / 20
    assert found.ci95 == pytest.approx((value - half, value + half), abs=0.05 * half)


def test_the_weight_and_the_interval_by_hand():
    # With (1, 0) and (0, 1) added, twelve units: sum(y) = sum(f) = 8, sum(yf) = 6.
    # cov = (6 - 64 / 12) / 11, var(y) = var(f) = (8 - 64 / 12) / 11, var(g) = 20 x 0.75 x 0.25 / 19.
    covariance, own, g = 2 / 3 / 11, 8 / 3 / 11, 3.75 / 19 / 20
    found = ppi_mean(LABELS, JUDGED, OTHERS)
    weight = covariance / 12 / (own / 12 + g)
    assert found.weight == pytest.approx(weight)
    assert found.value == pytest.approx(0.7 + weight * (0.75 - 0.7))
    centre = 8 / 12 + weight * (0.75 - 8 / 12)
    variance = (own * (1 + weight**2) - 2 * weight * covariance) / 12 + weight**2 * g
    half = 2.200985 * variance**0.5  # Student's t of 11 degrees
    assert found.ci95 == pytest.approx((centre - half, centre + half), abs=1e-6)


def test_edges():
    alone = ppi_mean([1, 0, 1], [1, 1, 1], [])
    assert (alone.value, alone.weight, alone.n) == (pytest.approx(2 / 3), 0, 3)
    same = ppi_mean([1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 1])
    assert same.ci95[0] < 0.5  # four labels that agree are not certainty
    with pytest.raises(ValueError, match="two labels"):
        ppi_mean([1], [1], [1, 0])


def simulated(rng, agree_right, agree_wrong, n=100, others=900, truth=0.6):
    """(labels, judged, others) of a machine that repeats what is right, or wrong, with these chances."""
    y = rng.random(n + others) < truth
    same = rng.random(n + others) < np.where(y, agree_right, agree_wrong)
    f = np.where(same, y, ~y).astype(float)
    return y[:n].astype(float), f[:n], f[n:]


def coverage(rounds, rng, *machine):
    found = [ppi_mean(*simulated(rng, *machine)) for _ in range(rounds)]
    covered = np.mean([f.ci95[0] <= 0.6 <= f.ci95[1] for f in found])
    width = np.mean([f.ci95[1] - f.ci95[0] for f in found])
    return covered, width, np.mean([f.value for f in found])


def test_intervals_cover_are_narrower_with_a_good_machine_and_unbiased_with_a_bad_one():
    rng, rounds = np.random.default_rng(0), 400
    people_alone = 2 * 1.96 * np.sqrt(0.6 * 0.4 / 100)
    good = coverage(rounds, rng, 0.95, 0.95)
    lenient = coverage(rounds, rng, 1.0, 0.5)  # calls half of what is wrong right: naive says 0.8
    useless = coverage(rounds, rng, 0.5, 0.5)
    for covered, _, mean in (good, lenient, useless):
        assert 0.90 <= covered <= 0.98
        assert mean == pytest.approx(0.6, abs=0.008)
    assert good[1] < 0.6 * people_alone
    assert lenient[1] < 0.95 * people_alone
    assert useless[1] < 1.02 * people_alone  # it does no harm


@pytest.mark.parametrize("n", [10, 20, 40, 100])
@pytest.mark.parametrize("wrong", [0.02, 0.05, 0.1])
def test_few_labels_are_enough_where_the_machine_errs_to_one_side(n, wrong):
    """It calls some of what is wrong right: on few labels it then often agrees with people on every one."""
    rng, held, truth = np.random.default_rng(n), 0, 0.7
    for _ in range(200):
        found = ppi_mean(*simulated(rng, 1.0, 1 - wrong / (1 - truth), n=n, others=300, truth=truth))
        held += found.ci95[0] <= truth <= found.ci95[1]
        assert found.ci95[0] <= found.value <= found.ci95[1]
    assert held >= 0.91 * 200

"""The filter, by hand: kept against unfiltered, and the tail."""

import numpy as np
import pytest

from loop.evaluate.filters import by_difficulty, covered, hardest, kept_accuracy, length_ratio, tail
from loop.evaluate.resample import Resamples
from tests.loop.evaluate.columns import NAN, samples_of

# Four prompts, solved 3/4, 1/2, 1/4 and 0/2 of the time; one sample could not be scored.
SAMPLES = samples_of(
    [1, 1, 1, 0], [1, 0], [1, 0, 0, 0], [0, 0, NAN], tokens=[[10] * 4, [20] * 2, [30] * 4, [40] * 3]
)
KEPT = np.array([1, 1, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 1], dtype=bool)
DRAWS = Resamples(4)


def test_kept_accuracy_gain_and_recall():
    kept, gain, recall = kept_accuracy(DRAWS, SAMPLES, KEPT)
    assert (kept.value, kept.n) == (pytest.approx(4 / 5), 3)
    assert gain.value == pytest.approx(4 / 5 - 5 / 12)
    assert recall.value == pytest.approx(4 / 5)


def test_nothing_kept_has_no_accuracy():
    kept, gain, recall = kept_accuracy(DRAWS, SAMPLES, np.zeros(13, dtype=bool))
    assert (kept.value, gain.value, recall.value) == (None, None, 0)


def test_the_hardest_quarter_includes_what_ties():
    assert hardest(SAMPLES).tolist() == [False, False, False, True]
    assert hardest(SAMPLES, 0.5).tolist() == [False, False, True, True]
    assert hardest(samples_of([0], [0], [0], [1], [NAN])).tolist() == [True, True, True, False, False]
    assert not hardest(samples_of([NAN])).any()


def test_the_tail():
    share, ratio = tail(DRAWS, SAMPLES, KEPT, hardest(SAMPLES, 0.5))
    assert share.value == pytest.approx(2 / 6)
    assert ratio.value == pytest.approx((2 / 6) / (2 / 4))


def test_coverage():
    everyone = np.ones(4, dtype=bool)
    assert covered(SAMPLES, KEPT, everyone).tolist() == [1, 1, 1, 0]
    assert covered(SAMPLES, KEPT, hardest(SAMPLES)).tolist() == pytest.approx([NAN, NAN, NAN, 0], nan_ok=True)


def test_coverage_by_solve_rate():
    rates = samples_of([0, 0], [1, 0, 0, 0, 0], [1, 0, 0], [1, 0, 0], [1] * 9 + [0], [1, 1], [1], [NAN])
    kept = np.zeros(len(rates.right), dtype=bool)
    kept[[1, 2, 3, 7, 11, 13, 22, 23, 24, 26]] = True  # of the fourth prompt a wrong one, of the seventh none
    bands = list(by_difficulty(rates, kept))
    assert [(b.low, b.high, b.prompts, b.covered, b.samples, b.kept) for b in bands] == [
        (0, 0, 1, 0, 2, 1),
        (0, 0.2, 1, 1, 5, 2),
        (0.2, 0.4, 2, 1, 6, 2),
        (0.8, 1, 1, 1, 10, 2),
        (1, 1, 2, 1, 3, 2),
    ]
    assert bands[0].ci95 is None
    assert bands[2].ci95 == pytest.approx((0.0945, 0.9055), abs=1e-4)  # 1 of 2


def test_the_length_of_what_is_kept():
    mean = (4 * 10 + 2 * 20 + 4 * 30 + 3 * 40) / 13
    assert length_ratio(DRAWS, SAMPLES, KEPT).value == pytest.approx((30 + 20 + 30 + 40) / 6 / mean)

"""The generation-verification gap, by hand."""

import numpy as np
import pytest

from loop.evaluate.gap import gaps, kept_by
from tests.loop.evaluate.columns import NAN, samples_of


def test_the_example_of_the_catalogue():
    # u = (1, 0, 0, 1, 0), the verifier keeps the 1st, 2nd and 4th; then all right; then nothing kept
    samples = samples_of([1, 0, 0, 1, 0], [1, 1], [1, 0])
    kept = np.array([1, 1, 0, 1, 0, 1, 0, 0, 0], dtype=bool)
    gap, relative = gaps(samples, kept)
    assert gap.tolist() == pytest.approx([2 / 3 - 0.4, 0.0, NAN], nan_ok=True)
    assert relative.tolist() == pytest.approx([4 / 9, NAN, NAN], nan_ok=True)


def test_an_unscored_sample_is_on_neither_side():
    gap, _ = gaps(samples_of([1, 0, NAN]), np.array([True, False, True]))
    assert gap.tolist() == [0.5]


def test_the_best_fifth_of_each_prompt():
    samples = samples_of([1] * 5, [1] * 10, [1] * 3, [1])
    score = np.array([5, 4, 3, 2, 1, *range(10), 7, 7, NAN, NAN], dtype=float)
    kept = kept_by(samples, score)
    assert np.flatnonzero(kept).tolist() == [0, 1, 12, 13, 14, 15, 16]  # ties are kept together

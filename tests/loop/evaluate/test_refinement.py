"""Self-correction and edits, by hand."""

import random

import numpy as np
import pytest

from loop.evaluate import refinement as r

# arXiv:2412.19513, four repeats of two questions: q1 first 1 1 0 0, then 1 0 1 0; q2 first 1 1 1 1, then
# 1 1 1 0. Cells: wrong->right 1, right->wrong 2, right->right 4, wrong->wrong 1.
CELLS = (1.0, 2.0, 4.0, 1.0)


def test_the_decomposition_of_self_correction():
    assert (r.acc_1(*CELLS), r.acc_2(*CELLS), r.delta(*CELLS)) == (0.75, 0.625, -0.125)
    assert r.confidence_level(*CELLS) == pytest.approx(4 / 6)
    assert r.critique_score(*CELLS) == 0.5
    assert r.relative_self_correction(*CELLS) == pytest.approx((0.625 - 0.75**2) / (2 * 0.75 * 0.25))


def test_acc_2_is_made_of_cl_and_cs():
    rng = np.random.default_rng(0)
    cells = rng.integers(1, 50, size=(4, 100)).astype(float)
    first = r.acc_1(*cells)
    made = first * r.confidence_level(*cells) + (1 - first) * r.critique_score(*cells)
    np.testing.assert_allclose(made, r.acc_2(*cells))


def test_edit_ratio():
    assert r.edit_ratio("2 + 2 = 4", "2 + 2 = 4") == 0
    assert r.edit_ratio("2 + 2 = 5", "2 + 2 = 4") == pytest.approx(1 / 5)
    assert r.edit_ratio("a b c", "b c d e") == pytest.approx(3 / 4)  # one out, two in
    assert r.edit_ratio("a b", "c d") == 1
    assert r.edit_ratio("", "a b") == 1
    assert r.edit_ratio("", " \n") == 0


def test_the_distance_is_the_textbook_table():
    def table(a, b):
        row = list(range(len(b) + 1))
        for i, x in enumerate(a, 1):
            row, before = [i], row
            for j, y in enumerate(b, 1):
                row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
        return row[-1]

    draw = random.Random(0)
    for _ in range(300):
        a, b = ([draw.choice("abc") for _ in range(draw.randrange(70))] for _ in range(2))
        assert r.edit_distance(a, b) == table(a, b)

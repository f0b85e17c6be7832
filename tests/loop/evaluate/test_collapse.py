"""Repetition and sameness, by hand."""

import numpy as np
import pytest

from loop.evaluate.collapse import distinct_parts, modal, repeats


def test_repeated_4grams():
    assert repeats("a a a a a a") == (2, 3)
    assert repeats("a b c d e") == (0, 2)
    assert repeats("a b c") == (0, 0)


def test_distinct_2_over_all_texts_is_the_sum_of_its_parts():
    # "a b c" and "a b d": ab, bc, ab, bd: 3 of 4 differ, "a b" belongs half to each.
    different, every = distinct_parts(["a b c", "a b d", "x"])
    np.testing.assert_allclose(different, [1.5, 1.5, 0])
    np.testing.assert_allclose(every, [2, 2, 0])
    alone = distinct_parts(["a a a a"])
    assert alone[0][0] / alone[1][0] == pytest.approx(1 / 3)


def test_modal_answer():
    assert modal(["4", None, "5", "4"]) == "4"
    assert modal(["5", "4"]) == "5"
    assert modal([None]) is None

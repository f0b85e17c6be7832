"""Distinct n-grams and equations, by hand."""

import numpy as np
import pytest

from loop.evaluate.diversity import distinct_equations, distinct_n, equations, words

NAN = float("nan")


def distinct(texts, group, n):
    return distinct_n(words(texts), np.array(group), max(group) + 1, n).tolist()


def test_bigrams_of_the_catalogue():
    assert distinct(["a b c", "a b d"], [0, 0], 2) == [3 / 4]
    assert distinct(["a b c", "a b d"], [0, 0], 1) == [4 / 6]


def test_no_n_gram_reaches_into_the_next_text_or_prompt():
    assert distinct(["a b", "b a", "a b"], [0, 0, 1], 2) == [1.0, 1.0]
    assert distinct(["a", "b c", ""], [0, 1, 2], 2) == pytest.approx([NAN, 1.0, NAN], nan_ok=True)


def test_longer_ones_in_any_order_of_texts():
    assert distinct(["a b c d", "x y z", "a b c e"], [1, 0, 1], 3) == [1.0, 3 / 4]


def test_what_an_equation_is():
    assert equations("12 + 5 = 17 apples, so $17 × 2 = $34.\nx = 4, half of 8 is 4") == ["12+5=17", "17×2=34"]
    assert equations("(3 + 4) * 2 = 14 and 1,200 / 4 = 300.50") == ["3+4*2=14", "1200/4=300.50"]
    assert equations("no = sum, 5 = 5, 1+1+" + "1+" * 400) == []


def test_equations_written_differently_are_one():
    found = distinct_equations(["1 + 2 = 3\n3*2=6", "1+2=3", "none"], np.array([0, 0, 1]), 2)
    assert found.tolist() == pytest.approx([2 / 3, NAN], nan_ok=True)

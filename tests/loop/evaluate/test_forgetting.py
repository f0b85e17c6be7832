"""Forgetting, by hand."""

import pytest

from loop.evaluate.forgetting import forgetting

NOW = {"a": True, "b": False, "c": False, "d": True, "e": None}


def test_the_best_earlier_model_on_the_same_prompts():
    base = {"a": False, "b": True, "c": False, "d": False, "e": True}
    second = {"a": True, "b": True, "c": True, "d": None}
    found = forgetting({"base": base, "v2": second}, NOW)
    # On a b c, v2 had all three and now there is one: 2/3. The base had 1 of 4, now 2.
    assert (found.value, found.best, found.n) == (pytest.approx(2 / 3), "v2", 4)
    assert found.accuracies == {"base": 0.25, "v2": 1.0}
    assert (found.lost, found.solved) == (("b", "c"), ("a", "b", "c"))
    assert found.ci95[0] <= found.value <= found.ci95[1]


def test_better_than_ever_is_below_zero_and_nothing_shared_is_none():
    assert forgetting({"base": {"a": False, "d": False}}, NOW).value == -1
    assert forgetting({"base": {"x": True}}, NOW) is None
    assert forgetting({}, NOW) is None
    assert forgetting({"base": {"a": True}}, {"a": True}).ci95 is None

"""Forgetting, by hand, and how often its interval holds the truth."""

import numpy as np
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


def test_a_model_scored_on_few_of_the_prompts_is_not_compared():
    assert forgetting({"base": {"a": True, "b": True}, "v2": {"b": True}}, NOW).accuracies == {"base": 1.0}
    assert forgetting({"v2": {"b": True}}, NOW) is None


def test_the_interval_by_hand_of_one_earlier_model():
    """It lost 20 of 100 prompts and gained 10: 0.1, with a normal interval of width 2 x 1.96 x 0.0539."""
    now = {f"{i:03}": i >= 20 for i in range(100)}
    was = now | {f"{i:03}": True for i in range(20)} | {f"{i:03}": False for i in range(20, 30)}
    found = forgetting({"base": was}, now)
    error = ((0.3 - 0.1**2) / 100) ** 0.5
    assert found.value == pytest.approx(0.1)
    assert found.ci95 == pytest.approx((0.1 - 1.96 * error, 0.1 + 1.96 * error), abs=0.01)


def runs(earlier, better=0.0, prompts=100, times=100):
    """(how often forgetting is sure, how often the interval holds the truth); one model was ``better``."""
    rng, sure, held = np.random.default_rng(earlier), 0, 0
    for run in range(times):
        chance = rng.uniform(0, 1 - better, prompts)
        now, *then = rng.random((earlier + 1, prompts)) < chance
        then[0] = rng.random(prompts) < chance + better
        told = [{str(pk): bool(right) for pk, right in enumerate(one)} for one in (now, *then)]
        low, high = forgetting({str(i): one for i, one in enumerate(told[1:])}, told[0], seed=run % 3).ci95
        sure += low > 0
        held += low <= better <= high
    return sure / times, held / times


@pytest.mark.parametrize("earlier", [1, 10])
def test_models_that_are_equally_good_have_forgotten_nothing(earlier):
    """The best of ten looks 0.08 better by chance alone."""
    sure, held = runs(earlier)
    assert sure <= 0.06
    assert held >= 0.92


def test_what_was_really_forgotten_is_found():
    sure, held = runs(5, better=0.25, times=40)
    assert sure > 0.8
    assert held >= 0.92

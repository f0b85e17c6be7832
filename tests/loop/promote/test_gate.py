"""The gate: when a challenger is promoted, why it is held, and that worse numbers never help."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.promote import Guard, decide
from loop.recipe import GatePart

GATE = GatePart(min_prompts=20, min_effect=0.02, alpha=0.05, guard_tolerance=0.05)


def sides(gained=0, lost=0, right=0, wrong=0) -> tuple[dict, dict]:
    pairs = (
        [(False, True)] * gained + [(True, False)] * lost + [(True, True)] * right + [(False, False)] * wrong
    )
    return {str(i): a for i, (a, _) in enumerate(pairs)}, {str(i): b for i, (_, b) in enumerate(pairs)}


def test_a_clear_gain_is_promoted_with_the_reason_in_words():
    decision = decide(*sides(gained=30, lost=5, right=100, wrong=65), {}, GATE)
    assert decision.promote
    assert decision.effect == pytest.approx(0.125)
    assert (decision.n, decision.flips.gained, decision.flips.lost) == (200, 30, 5)
    assert decision.ci95[0] > 0
    (reason,) = decision.reasons
    assert "rose by 12.5 points" in reason
    assert "30 put right, 5 lost" in reason


@pytest.mark.parametrize(
    ("case", "says"),
    [
        (sides(gained=5, lost=30, right=100), "fell by"),
        (sides(gained=5, lost=5, right=100), "did not change"),
        (sides(gained=2, lost=1, right=100), "asks for at least 2.0 points"),
        (sides(gained=8, lost=3, right=100), "may be chance: p = 0.227"),
        (sides(gained=10), "only 10 held-out prompts"),
        (({}, {}), "only 0 held-out prompts"),
    ],
)
def test_it_holds_and_says_why(case, says):
    decision = decide(*case, {}, GATE)
    assert not decision.promote
    assert any(says in r for r in decision.reasons), decision.reasons


GOOD = sides(gained=30, lost=5, right=100, wrong=65)


@pytest.mark.parametrize(
    ("guard", "holds"),
    [
        (Guard(0.90, 0.85), False),  # exactly the tolerance
        (Guard(0.90, 0.84), True),
        (Guard(0.90, 0.95), False),
        (Guard(0.02, 0.07, higher_is_better=False), False),
        (Guard(0.02, 0.08, higher_is_better=False), True),
        (Guard(0.90, None), True),
        (Guard(None, 0.90), True),
    ],
)
def test_guards(guard, holds):
    decision = decide(*GOOD, {"probe accuracy": guard}, GATE)
    assert decision.promote is not holds
    assert any("guard probe accuracy" in r for r in decision.reasons) is holds


def test_errors_are_left_out_and_counted_and_many_of_them_hold():
    before, after = sides(gained=30, lost=5, right=100, wrong=65)
    after = {**after, "199": None}
    decision = decide(before, after, {}, GATE)
    assert (decision.promote, decision.n, decision.left_out) == (True, 199, 1)
    # Turning its losses into errors must not help a challenger.
    decision = decide(before, {**after, **{str(i): None for i in range(150, 200)}}, {}, GATE)
    assert not decision.promote
    assert any("50 of 200 held-out prompts could not be scored" in r for r in decision.reasons)


@settings(max_examples=150)
@given(st.data())
def test_worse_numbers_never_turn_hold_into_promote(data):
    outcomes = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=20, max_size=80)
    pairs = data.draw(outcomes) + [(False, True)] * data.draw(st.integers(0, 15))
    guard = Guard(0.8, data.draw(st.floats(0.6, 1)))
    before = {str(i): a for i, (a, _) in enumerate(pairs)}
    after = {str(i): b for i, (_, b) in enumerate(pairs)}
    if decide(before, after, {"probe": guard}, GATE).promote:
        return
    spoilt = data.draw(st.sets(st.sampled_from(sorted(after))))
    worse = {i: False if i in spoilt else o for i, o in after.items()}
    worse_guard = Guard(guard.champion, guard.challenger - data.draw(st.floats(0, 0.3)))
    assert not decide(before, worse, {"probe": worse_guard}, GATE).promote

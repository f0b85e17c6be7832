"""What holds for every alarm rule: believable, never on what is missing, never for a control arm."""

import pytest

from loop.evaluate.alarms import RULES, Seen
from loop.evaluate.alarms.rule import above, below, change, no_gain
from tests.loop.evaluate.alarming import text, turn

KEYS = {
    "diversity_loss", "collapse", "length_hacking", "reward_hacking", "filter_idle", "correction_harm",
    "edit_collapse", "content_free", "judge_flips", "judge_bias", "self_preference", "critic_stamp",
    "gap_negative", "forgetting", "chosen_falls", "method_breaks", "stale_feedback", "people_disagree",
}  # fmt: skip


def test_the_rules_are_those_of_the_methods():
    assert set(RULES) == KEYS
    assert all(rule.formula and rule.what_to_do and rule.source and rule.reads for rule in RULES.values())
    assert all(rule.span[0] <= rule.limit <= rule.span[1] for rule in RULES.values())


@pytest.mark.parametrize("key", sorted(KEYS))
def test_nothing_measured_says_nothing(key):
    assert text(key, turn()) is None
    assert text(key, turn("self_verdict"), [turn("self_verdict")] * 3) is None


@pytest.mark.parametrize("key", sorted(KEYS))
def test_a_value_that_is_not_defined_says_nothing(key):
    undefined = {name: (None, None, None) for name in RULES[key].reads if not name.endswith("*")}
    now = turn("self_verdict", gv_gap=(None, None, None), **undefined)
    assert text(key, now, [now] * 3) is None


def test_a_control_arm_never_alarms():
    lost = {"forgetting": (0.1, 0.05, 0.2)}
    assert text("forgetting", turn(**lost))
    assert text("forgetting", turn(control=True, **lost)) is None


def test_the_whole_interval_must_clear_the_limit():
    assert above(Seen(0.3, 0.21, 0.4, 100), 0.2)
    assert not above(Seen(0.3, 0.2, 0.4, 100), 0.2)
    assert below(Seen(0.1, 0.0, 0.19, 100), 0.2)
    assert not below(Seen(0.1, 0.0, 0.2, 100), 0.2)


def test_without_an_interval_nothing_is_sure_nor_on_few():
    assert above(Seen(0.3, 0.25, 0.35, 30), 0.2)
    assert not above(Seen(0.3, n=100), 0.2)
    assert not above(Seen(0.3, 0.25, 0.35, 29), 0.2)
    assert not above(Seen(1.0, 1.0, 1.0, 29), 0.2)  # all of a few: a bootstrap without width


def test_no_gain_is_a_finding_only_when_measured():
    assert no_gain(Seen(-0.1, -0.3, 0.1, 100))
    assert no_gain(Seen(0.01, -0.01, 0.019, 100))
    assert not no_gain(Seen(0.1, -0.1, 0.3, 100))
    assert not no_gain(Seen(-0.1, -0.3, 0.1, 10))
    assert not no_gain(None)


def test_the_change_of_two_independent_estimates_by_hand():
    """0.5 (0.47 to 0.54) to 0.6 (0.56 to 0.63): -, sqrt(.04^2 + .04^2) below, sqrt(.03^2 + .03^2) above."""
    seen = change(Seen(0.5, 0.47, 0.54, 90), Seen(0.6, 0.56, 0.63, 80))
    assert seen.value == pytest.approx(0.1)
    assert seen.low == pytest.approx(0.1 - 0.0565685)
    assert seen.high == pytest.approx(0.1 + 0.0424264)
    assert seen.n == 80
    assert change(Seen(0.5, n=90), Seen(0.6, 0.5, 0.7, 90)) is None

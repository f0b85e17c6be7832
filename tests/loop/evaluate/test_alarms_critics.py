"""Alarms over what judges, at and beside their limits."""

import pytest

from tests.loop.evaluate.alarming import metric, text, turn


def test_a_verdict_worse_than_chance():
    assert metric("gap_negative", turn("self_verdict", gv_gap=(-0.03, -0.05, -0.01))) == "gv_gap:self_verdict"
    assert text("gap_negative", turn("self_verdict", gv_gap=(-0.03, -0.06, 0.0))) is None
    assert text("gap_negative", turn("self_verdict", gv_gap=(0.0, 0.0, 0.0))) is None
    assert text("gap_negative", turn("reward", **{"gv_gap:self_verdict": (-0.03, -0.05, -0.01)})) is None


def test_a_rubber_stamp_lets_more_than_four_wrong_of_five_pass():
    assert metric("critic_stamp", turn(critic_tnr=(0.1, 0.05, 0.19))) == "critic_tnr"
    assert text("critic_stamp", turn(critic_tnr=(0.1, 0.05, 0.2))) is None


def test_revising_that_does_harm():
    assert metric("correction_harm", turn(correction_delta=(-0.04, -0.07, -0.01))) == "correction_delta"
    assert text("correction_harm", turn(correction_delta=(-0.04, -0.08, 0.0))) is None


def test_revisions_that_change_nothing_though_much_is_wrong():
    """0.9 surely unchanged, at most half right: at least (0.9 - 0.5) / 0.5 = 0.8 of the wrong ones are."""
    same = (0.92, 0.9, 0.94)
    assert metric("edit_collapse", turn(edit_unchanged=same, acc_1=(0.45, 0.4, 0.5))) == "edit_unchanged"
    # At most 0.8 right: (0.9 - 0.8) / 0.2 is just half of the wrong ones; the right ones should stay.
    assert text("edit_collapse", turn(edit_unchanged=same, acc_1=(0.75, 0.7, 0.8))) is None
    assert text("edit_collapse", turn(edit_unchanged=(0.85, 0.8, 0.9), acc_1=(0.2, 0.1, 0.3))) is None
    assert text("edit_collapse", turn(edit_unchanged=(1.0, 1.0, 1.0), acc_1=(1.0, 1.0, 1.0))) is None


def test_a_critique_no_better_than_empty_words():
    """Half of the drafts are wrong: 2 % of that is one point."""
    none, half = (0.0, -0.005, 0.009), (0.5, 0.45, 0.55)
    assert metric("content_free", turn(content_effect=none, acc_1=half)) == "content_effect"
    assert text("content_free", turn(content_effect=(0.0, -0.02, 0.01), acc_1=half)) is None
    assert text("content_free", turn(content_effect=none, acc_1=(0.94, 0.92, 0.96))) is None
    assert text("content_free", turn(content_effect=none)) is None


@pytest.mark.parametrize(
    ("key", "name", "limit"),
    [
        ("judge_flips", "judge_flips", 0.15),
        ("judge_bias", "judge_first_bias", 0.65),
        ("judge_bias", "judge_length_bias", 0.65),
    ],
)
def test_a_judge_that_minds_the_place_or_the_length(key, name, limit):
    assert metric(key, turn(**{name: (limit + 0.1, limit + 0.01, limit + 0.2)})) == name
    assert text(key, turn(**{name: (limit + 0.1, limit, limit + 0.2)})) is None


@pytest.mark.parametrize("name", ["judge_first_bias", "judge_length_bias"])
def test_a_bias_has_two_sides(name):
    assert "10.0 % (95 % 5.0 to 34.0) of the pairs, where a half is no bias" in text(
        "judge_bias", turn(**{name: (0.1, 0.05, 0.34)})
    )
    assert text("judge_bias", turn(**{name: (0.1, 0.05, 0.35)})) is None
    assert text("judge_bias", turn(**{name: (0.1, 0.05, 0.34)}), limit=0.7) is None  # 30 % is its other side


def test_a_taste_for_length_that_people_share_is_no_bias():
    """The limit of 65 % lies 15 points from a half: so may the judge from people."""
    longer = {"judge_length_bias": (0.8, 0.7, 0.9)}
    assert text("judge_bias", turn(**longer, judge_length_excess=(0.1, 0.02, 0.2))) is None
    assert metric("judge_bias", turn(judge_length_excess=(0.2, 0.151, 0.3))) == "judge_length_excess"
    assert metric("judge_bias", turn(judge_length_excess=(-0.2, -0.3, -0.151))) == "judge_length_excess"
    assert text("judge_bias", turn(judge_length_excess=(0.2, 0.149, 0.3))) is None
    few = (0.1, 0.02, 0.2, 29)  # people say too little of it
    assert metric("judge_bias", turn(**longer, judge_length_excess=few)) == "judge_length_bias"


def test_a_judge_that_prefers_its_own_more_and_more():
    own = {"judge_self_preference": (0.7, 0.6, 0.8)}
    before = turn(judge_self_preference=(0.6, 0.5, 0.7))
    assert "up from 60.0 %" in text("self_preference", turn(**own), [before])
    assert text("self_preference", turn(**own)) is None
    assert text("self_preference", turn(**own), [turn(**own)]) is None
    assert text("self_preference", turn(judge_self_preference=(0.7, 0.55, 0.8)), [before]) is None

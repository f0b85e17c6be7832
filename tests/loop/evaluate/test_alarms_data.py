"""Alarms over what the model is trained on, at and beside their limits."""

import pytest

from tests.loop.evaluate.alarming import metric, text, turn

HALF = (0.5, 0.46, 0.54)


def test_a_filter_that_removes_nothing_of_what_is_wrong():
    """Half is wrong: a tenth of that is 5 points."""
    idle = {"samples_right": HALF, "kept_gain": (0.0, -0.02, 0.02), "gv_gap": (0.0, 0.0, 0.0)}
    assert text("filter_idle", turn("self_verdict", **idle)) == (
        "50.0 % (95 % 46.0 to 54.0) of the samples are right; what was kept differs by 0.0 points"
        " (95 % −2.0 to 2.0). The filter removes less than 10 % of what is wrong."
    )
    # Repeats fell out, and it was the right ones that repeat.
    worse = turn("self_verdict", **{**idle, "kept_gain": (-0.2, -0.22, -0.18)})
    assert "differs by −20.0 points" in text("filter_idle", worse)
    assert text("filter_idle", turn("self_verdict", **{**idle, "kept_gain": (0.02, 0.0, 0.05)})) is None
    assert text("filter_idle", turn("self_verdict", **{**idle, "gv_gap": (0.03, 0.01, 0.05)})) is None
    assert text("filter_idle", turn("self_verdict", **{**idle, "gv_gap": (-0.03, -0.05, -0.01)})) is None
    assert text("filter_idle", turn("self_verdict", samples_right=HALF, kept_gain=(0.0, -0.02, 0.02))) is None


def test_a_tiny_gain_is_much_where_nearly_all_is_right():
    """3 % wrong, two thirds of that removed; and one where nothing is left to remove."""
    near = {
        "samples_right": (0.97, 0.96, 0.979),
        "kept_gain": (0.02, 0.01, 0.03),
        "gv_gap": (0.02, 0.01, 0.03),
    }
    assert text("filter_idle", turn("self_verdict", **near)) is None
    idle = {"kept_gain": (0.0, 0.0, 0.0), "gv_gap": (0.0, 0.0, 0.0)}
    assert text("filter_idle", turn("self_verdict", **{**near, **idle}))
    assert text("filter_idle", turn("self_verdict", samples_right=(0.99, 0.97, 0.98), **idle)) is None


def test_what_learns_from_the_wrong_as_well_has_no_filter():
    idle = {"samples_right": HALF, "kept_gain": (0.0, -0.02, 0.02)}
    assert text("filter_idle", turn(rows=["sample"], **idle))
    for rows in (
        ["preference"],
        ["outcome"],
        ["sample", "outcome"],
        ["sample", "preference"],
        ["prompt"],
        [],
    ):
        assert text("filter_idle", turn(rows=rows, **idle)) is None


@pytest.mark.parametrize("name", ["critic_unparsed", "cut_share", "failed_prompts"])
def test_a_method_that_breaks(name):
    assert metric("method_breaks", turn(**{name: (0.3, 0.21, 0.4)})) == name
    assert text("method_breaks", turn(**{name: (0.3, 0.2, 0.4)})) is None


def test_old_feedback():
    assert metric("stale_feedback", turn(stale_share=(0.8, 0.76, 0.84))) == "stale_share"
    assert text("stale_feedback", turn(stale_share=(0.8, 0.75, 0.85))) is None


def test_people_who_disagree():
    assert "alpha 0.41 (95 % 0.30 to 0.66)" in text("people_disagree", turn(people_alpha=(0.41, 0.3, 0.66)))
    assert text("people_disagree", turn(people_alpha=(0.5, 0.3, 0.667))) is None
    assert text("people_disagree", turn(people_alpha=(0.1, 0.0, 0.2, 12))) is None

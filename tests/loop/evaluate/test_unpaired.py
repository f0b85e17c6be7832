"""Differences of estimates that share no prompts, by hand."""

import pytest

from loop.evaluate.unpaired import mean_of, unpaired_difference


def test_sides_add_like_a_right_angle():
    by, ci95 = unpaired_difference(0.5, (0.46, 0.53), 0.7, (0.66, 0.73))
    assert by == pytest.approx(0.2)
    # below: the later one's lower side 0.04 and the earlier one's upper side 0.03 -> 0.05; above the same
    assert ci95 == pytest.approx((0.15, 0.25))


def test_sides_may_differ():
    by, ci95 = unpaired_difference(0.2, (0.2, 0.2), 0.5, (0.4, 0.8))
    assert by == pytest.approx(0.3)
    assert ci95 == pytest.approx((0.2, 0.6))


def test_a_mean_is_surer_than_its_parts():
    mean, ci95 = mean_of([0.1, 0.3], [(0.04, 0.16), (0.22, 0.38)])
    assert mean == pytest.approx(0.2)
    assert ci95 == pytest.approx((0.15, 0.25))  # 0.06 and 0.08 at a right angle: 0.10, halved


def test_a_mean_needs_an_interval_for_each():
    with pytest.raises(ValueError, match="as many intervals"):
        mean_of([0.1], [])

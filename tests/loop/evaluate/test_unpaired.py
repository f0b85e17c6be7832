"""Differences of estimates that share no prompts, by hand."""

import pytest

from loop.evaluate.unpaired import mean_of, means_difference, unpaired_difference


def test_sides_add_like_a_right_angle():
    by, ci95 = unpaired_difference(0.5, (0.46, 0.53), 0.7, (0.66, 0.73))
    assert by == pytest.approx(0.2)
    # below: the later one's lower side 0.04 and the earlier one's upper side 0.03 -> 0.05; above the same
    assert ci95 == pytest.approx((0.15, 0.25))


def test_sides_may_differ():
    by, ci95 = unpaired_difference(0.2, (0.2, 0.2), 0.5, (0.4, 0.8))
    assert by == pytest.approx(0.3)
    assert ci95 == pytest.approx((0.2, 0.6))


def test_a_mean_is_as_sure_as_its_values_are_alike():
    mean, ci95 = mean_of([0.1, 0.2, 0.3])
    assert mean == pytest.approx(0.2)
    half = 4.30265 * 0.1 / 3**0.5  # t(0.975, 2) s / sqrt(n)
    assert ci95 == pytest.approx((0.2 - half, 0.2 + half), abs=1e-6)
    assert mean_of([0.1, 0.3]) == (pytest.approx(0.2), None)
    with pytest.raises(ValueError, match="no values"):
        mean_of([])


def test_means_differ_by_what_varies_between_their_values():
    by, ci95 = means_difference([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    half = 2.776445 * (2 * 0.01 / 3) ** 0.5  # equal variances and sizes: 4 degrees of freedom
    assert by == pytest.approx(0.3)
    assert ci95 == pytest.approx((0.3 - half, 0.3 + half), abs=1e-6)
    assert means_difference([0.1] * 3, [0.3] * 3) == (pytest.approx(0.2), pytest.approx((0.2, 0.2)))
    assert means_difference([0.1, 0.2], [0.1, 0.2, 0.3]) is None

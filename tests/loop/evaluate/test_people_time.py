"""What people's time is worth, by hand."""

import pytest

from loop.evaluate.people import gain_per_hour, median_interval


def test_the_median_between_order_statistics():
    # n = 10: P(heads <= 1) = 11/1024 <= 2.5 %, P(heads <= 2) = 5.5 %: the second and the ninth.
    assert median_interval([10, 1, 2, 3, 4, 5, 6, 7, 8, 9]) == (5.5, (2, 9))
    assert median_interval([3, 1, 2]) == (2, None)
    with pytest.raises(ValueError, match="median"):
        median_interval([])


def test_points_for_each_hour():
    assert gain_per_hour(0.04, 2.0) == pytest.approx(2.0)
    assert gain_per_hour(None, 2.0) is None
    assert gain_per_hour(0.04, 0) is None

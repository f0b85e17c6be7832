"""Geometry by hand: parts on each other, and estimates of one quantity on one axis."""

import pytest

from webapp.metrics.charts.estimates import Estimated, estimates
from webapp.metrics.charts.stacks import Amounts, stacks


def test_parts_stand_on_each_other():
    drawn = stacks([Amounts("1", [2, 1]), Amounts("2", [0, 4])], ["a", "b"], "count", height=170)
    # the axis runs from 0 at 144 px to 4 at 44 px: 25 px for each
    assert (drawn.base, drawn.ticks[-1].label) == (144, "4")
    first, second = drawn.piles
    assert [(p.series, p.y, p.tall) for p in first.parts] == [(1, 94, 50), (2, 69, 25)]
    assert [(p.series, p.y, p.tall) for p in second.parts] == [(2, 44, 100)]  # nothing is not drawn
    assert [(series, name) for series, name, _x in drawn.names] == [(1, "a"), (2, "b")]
    assert stacks([Amounts("1", [0, 0])], ["a", "b"], "count") is None
    with pytest.raises(ValueError, match="5 parts"):
        stacks([Amounts("1", [1] * 5)], list("abcde"), "count")


def test_estimates_share_an_axis_and_the_best_has_a_band():
    drawn = estimates([Estimated("naive", 0.6), Estimated("both", 0.5, 0.4, 0.6, look="best")], "share")
    assert [t.label for t in drawn.ticks] == ["40 %", "45 %", "50 %", "55 %", "60 %"]
    naive, both = drawn.rows
    assert (naive.x, naive.low, naive.text) == (96, None, "60.0\u202f%")
    assert (both.x, both.low, both.high) == (50, 4, 96)
    assert both.text == "50.0\u202f% (40.0 to 60.0)"
    assert drawn.band == (4, 92)
    assert estimates([], "share") is None

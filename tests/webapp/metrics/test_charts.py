"""Chart geometry by hand, and how numbers are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.metrics.charts import Measured, Node, bands, curve, funnel, lineage, nice_ticks
from webapp.metrics.templatetags.numbers import duration, interval, p_value, percent, points, whole


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.52, 0.74, [0.5, 0.6, 0.7, 0.8]),
        (0.0, 1.0, [0.0, 0.25, 0.5, 0.75, 1.0]),
        (0.3, 0.3, [0.3, 0.4]),
        (0.0, 0.0, [0.0, 0.25]),
    ],
)
def test_ticks_are_round_and_cover(low, high, ticks):
    assert nice_ticks(low, high) == ticks


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_always_cover(low, span):
    ticks = nice_ticks(low, low + span)
    slack = 1e-6 * max(abs(low), span, 1)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= low + span - slack
    assert 2 <= len(ticks) <= 8


def test_bands_place_estimates():
    a = Measured("v1", 0.5, 0.4, 0.6, "champion")
    b = Measured("v2", 0.55, 0.45, 0.65, "held")
    c = Measured("v3", 0.6, 0.5, 0.7, "champion")
    chart = bands([a, b, c], height=250)
    assert [t.label for t in chart.ticks] == ["40 %", "50 %", "60 %", "70 %"]
    assert [m.x for m in chart.marks] == [13.0, 52.5, 92.0]
    assert [m.y for m in chart.marks] == pytest.approx(
        [157.33, 124.0, 90.67], abs=0.01
    )  # 224 .. 24 for 0.4 .. 0.7
    assert chart.line == f"13.0,{chart.marks[0].y} 92.0,{chart.marks[2].y}"  # the held one is not on the line
    assert len(chart.band.split()) == 4
    assert bands([a]).marks[0].x == 50
    assert bands([]).marks == []


def test_a_curve_keeps_its_last_point_however_long():
    made = curve([(i, 2.0 / i) for i in range(1, 1001)], 1200)
    assert made is not None
    assert len(made.line.split()) <= 252
    assert made.last == 2 / 1000
    assert made.last_x == pytest.approx(83.33)
    assert curve([], 10) is None


def test_funnel_shares():
    bars = funnel([("a", 200, ""), ("b", 50, "x"), ("c", 0, ""), ("d", 0, "")])
    assert [(b.share, b.kept) for b in bars] == [(100, None), (25, 0.25), (0, 0), (0, None)]
    assert funnel([]) == []


def test_lineage_lanes():
    nodes = [
        Node(1, "v1", "retired", "", "", None),
        Node(2, "v2", "held", "", "", 1),
        Node(3, "v3", "champion", "", "", 1),
        Node(4, "v4", "champion", "", "", 99),  # parent not shown
    ]
    made = lineage(nodes)
    assert [p.x for p in made.nodes] == [56, 160, 264, 368]
    assert [p.y for p in made.nodes] == [34, 112, 34, 34]
    assert [e.kind for e in made.edges] == ["held", "champion"]
    assert "Q160.0 -6" in made.edges[1].path  # over the version between


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (percent(0.6137), "61.4\u202f%"),
        (percent(None), "–"),
        (percent(""), "–"),
        (points(0.075), "+7.5"),
        (points(-0.031), "−3.1"),
        (points(-0.0001), "0.0"),
        (interval([0.041, 0.108]), "4.1 to 10.8"),
        (interval([-0.024, 0.0]), "−2.4 to 0.0"),
        (interval(None), "–"),
        (p_value(0.0002), "p < 0.001"),
        (p_value(0.0412), "p = 0.041"),
        (p_value(None), "p unknown"),
        (whole(1234567), "1\u202f234\u202f567"),
        (duration(0), "0 s"),
        (duration(7.26), "7.3 s"),
        (duration(59.7), "1 min"),
        (duration(200), "3 min 20 s"),
        (duration(1259), "20 min"),
        (duration(7500), "2 h 5 min"),
        (duration(None), "–"),
    ],
)
def test_numbers_in_words(written, expected):
    assert written == expected

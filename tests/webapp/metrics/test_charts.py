"""Chart geometry by hand, and how numbers are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.metrics.charts import Measured, Node, bands, curve, fold, funnel, lineage, nice_ticks
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
    assert [b.kept for b in funnel([("a", 200, ""), ("b", 50, ""), ("c", 20, "")], parts=["b"])] == [
        None,
        0.25,
        None,
    ]
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


def test_scorers_have_a_lane_of_their_own_and_datasets_stand_below_what_learnt_from_them():
    nodes = [
        Node(1, "v1", "champion", "", "", None),
        Node(2, "v2", "champion", "", "", 1, lane="reward", data=7),
        Node(3, "v3", "held", "", "", 1, data=7),
    ]
    made = lineage(nodes, [Node(7, "d1", "data", "", "", None), Node(8, "d2", "data", "", "", None)])
    assert [lane.label for lane in made.lanes] == ["champions", "challengers", "reward models", "datasets"]
    assert [p.y for p in made.nodes] == [34, 190, 112]
    (mark,) = made.data  # d2 is of no version shown
    assert (mark.x, mark.y) == (160, 268)
    assert [e.path for e in made.edges if e.kind == "data"] == ["M160 268L160 190", "M160 268L264 112"]


def test_runs_of_versions_that_led_nowhere_are_drawn_together():
    nodes = [
        Node(1, "v1", "retired", "", "", None),
        *(Node(k, f"v{k}", "held", "", "", 1) for k in (2, 3, 4)),
        Node(5, "v5", "held", "", "", 1),  # v6 was trained from it
        Node(6, "v6", "champion", "", "", 5),
        Node(7, "v7", "control", "", "", 6),
        Node(8, "v8", "held", "", "", 6),
        Node(9, "v9", "held", "", "", 1),
    ]
    left, folded = fold(nodes, "/all")
    assert [n.label for n in left] == ["v1", "v2…v4", "v5", "v6", "v7", "v8", "v9"]
    assert folded == 3
    assert (left[1].href, left[1].note, left[1].parent) == ("/all", "3 held", 1)


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
        (duration(180_000), "2 d 2 h"),
        (duration(10.4 * 86400), "10 d"),
        (duration(1259), "20 min"),
        (duration(7500), "2 h 5 min"),
        (duration(None), "–"),
    ],
)
def test_numbers_in_words(written, expected):
    assert written == expected

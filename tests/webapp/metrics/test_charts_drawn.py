"""The geometry of the figures' drawings, by hand; and how numbers of every unit are written."""

import pytest

from webapp.metrics.charts import (
    Bin,
    Column,
    Difference,
    Line,
    Point,
    bars,
    columns,
    forest,
    reliability,
    sparkline,
    trend,
)
from webapp.metrics.templatetags.numbers import tick_text, written, written_difference, written_interval

HEIGHT = 250  # a trend's values lie between 24 and 224: 200 pixels


def point(label, value, *ends, **values):
    return Point(label, value, *ends, **values)


def test_a_trend_by_hand():
    line = Line("a", [point("1", 0.2, 0.0, 0.4), point("2", 0.6, 0.4, 0.8), point("3", 1.0, 0.8, 1.0)])
    chart = trend([line], "share", height=HEIGHT)
    assert [t.label for t in chart.ticks] == ["0 %", "25 %", "50 %", "75 %", "100 %"]
    assert chart.labels == [(9.0, "1"), (48.0, "2"), (87.0, "3")]
    (drawn,) = chart.lines
    assert drawn.lines == ["9.0,184.0 48.0,104.0 87.0,24.0"]
    assert drawn.bands == ["9.0,144.0 48.0,64.0 87.0,24.0 87.0,64.0 48.0,144.0 9.0,224.0"]
    assert (drawn.name, drawn.name_x, drawn.name_y) == ("100.0\u202f%", 89.0, 24.0)
    assert [s.low for s in drawn.spots] == [None] * 3  # the band says it


def test_a_missing_value_breaks_the_line_and_a_control_does_not():
    points = [
        point("1", 0.0),
        point("2", 0.5, 0.4, 0.6, kind="control"),
        point("3", 1.0),
        point("4", None),
        point("5", 0.5, 0.4, 0.6),
    ]
    (drawn,) = trend([Line("a", points)], "share", height=HEIGHT).lines
    assert drawn.lines == ["9.0,224.0 48.0,24.0"]  # 1 and 3
    assert [s.point.label for s in drawn.spots] == ["1", "2", "3", "5"]
    assert [s.low is not None for s in drawn.spots] == [False, True, False, True]  # those with no band


def test_names_of_lines_do_not_cover_each_other():
    lines = [
        Line(name, [point("1", 0.0), point("2", value)])
        for name, value in (("a", 0.5), ("b", 0.51), ("c", 1))
    ]
    chart = trend(lines, "share", height=HEIGHT)
    by_name = {line.name: line.name_y for line in chart.lines}
    assert by_name == {"c": 24.0, "b": 122.0, "a": 137.0}  # a belongs at 124, 15 below b is 137
    assert [(line.series, line.dashed) for line in chart.lines] == [(1, False), (2, False), (3, False)]


def test_many_iterations_are_named_now_and_then():
    chart = trend([Line("a", [point(str(n), n / 50) for n in range(50)])], "share")
    assert [name for _x, name in chart.labels] == ["0", "5", "10", "15", "20", "25", "30", "35", "40", "45"]
    assert trend([Line("a", [point("1", None)])], "share") is None


def test_a_sparkline_by_hand():
    spark = sparkline([(0.0, None, None), (None, None, None), (1.0, 0.5, 1.0), (2.0, 1.0, 2.0)], "so")
    assert spark.lines == ["73.33,13.0 108.0,4.0"]  # 112 wide with 4 at each edge, 26 high
    assert spark.bands == ["73.33,13.0 108.0,4.0 108.0,13.0 73.33,17.5"]
    assert (spark.last_x, spark.last_y, spark.label) == (108.0, 4.0, "so")
    assert sparkline([(None, None, None)]) is None
    assert sparkline([(0.0, None, None), (1.0, None, None)], 'a "b"').svg == (
        '<svg class="chart spark" width="112" height="26" viewBox="0 0 112 26" role="img"'
        ' aria-label="a &quot;b&quot;"><polyline class="series" points="4.0,22.0 108.0,4.0"/>'
        '<circle class="last" cx="108.0" cy="4.0" r="2.5"/></svg>'
    )
    assert sparkline([(0.5, None, None)]).last_y == 13  # one value: in the middle


def test_columns_stand_on_zero():
    chart = columns([Column("a", 10.0, 5.0, 15.0), Column("b", -10.0)], "count", height=250)
    assert [t.label for t in chart.ticks] == ["−10", "0", "10", "20"]
    assert chart.base == pytest.approx(24 + 200 * 2 / 3, abs=0.01)
    first, second = chart.columns
    assert (first.y, first.tall) == (pytest.approx(90.67), pytest.approx(66.66, abs=0.02))
    assert second.y == chart.base
    assert (first.low, first.high) == (pytest.approx(124.0), pytest.approx(57.33))
    assert (first.middle, second.middle) == (31.25, 75.75)  # quarters of 9 to 98
    assert columns([], "count") is None


def test_reliability_runs_from_corner_to_corner():
    chart = reliability([Bin(100, 1.0, 0.5), Bin(25, 0.0, 0.0), Bin(0, 0.5, 0.5)], height=244)
    assert [(d.x, d.y, d.r) for d in chart.dots] == [(11.0, 214.0, 5.5), (96.0, 114.0, 11.0)]
    assert chart.line == "11.0,214.0 96.0,114.0"
    assert reliability([Bin(0, 0.5, 0.5)]) is None


def test_a_forest_always_shows_zero():
    chart = forest(
        [Difference("a", 0.1, 0.05, 0.15), Difference("b", 0.02, -0.02, 0.06), Difference("c", 0.2)], "points"
    )
    assert [t.label for t in chart.ticks] == ["−10", "0", "+10", "+20"]
    assert chart.zero == 34.67  # a third of the way from 4 to 96
    assert [row.side for row in chart.rows] == ["better", "over", "over"]  # without an interval nobody knows
    assert chart.rows[0].text == "+10.0 points (+5.0 to +15.0), better"
    assert (chart.rows[0].low, chart.rows[0].x, chart.rows[0].high) == (50.0, 65.33, 80.67)
    assert forest([], "points") is None
    less_is_more = forest([Difference("tokens", 0.1, 0.05, 0.15, better="down")], "points")
    assert (less_is_more.rows[0].side, less_is_more.rows[0].text[-7:]) == ("worse", ", worse")
    beside = forest([Difference("length", -0.1, -0.15, -0.05, better="")], "points")
    assert beside.rows[0].side == "lower"


def test_bars_below_each_other():
    chained = bars([("a", 200, ""), ("b", 50, "")])
    assert [(r.bar.share, r.bar.kept) for r in chained.rows] == [(100.0, None), (25.0, 0.25)]
    loose = bars([("a", 200, ""), ("b", 50, "")], parts=())
    assert [r.bar.kept for r in loose.rows] == [None, None]
    more = bars([("prompts", 100, ""), ("responses", 800, "")])
    assert more.rows[1].bar.kept is None  # not a part of the prompts
    assert bars([]) is None


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.614, "share", "61.4\u202f%"),
        (0.075, "points", "+7.5 points"),
        (-0.075, "points", "−7.5 points"),
        (1204.0, "tokens", "1\u202f204 tokens"),
        (12.5, "tokens", "12.5 tokens"),
        (7, "count", "7"),
        (200.0, "s", "3 min 20 s"),
        (2.313, "bits", "2.31 bits"),
        (-0.31, "score", "−0.31"),
        (1.5e9, "bytes", "1.4\u202fGB"),
        (31.0, "per hour", "31.00 per hour"),
        (None, "share", "–"),
    ],
)
def test_numbers_of_every_unit(value, unit, text):
    assert written(value, unit) == text


def test_intervals_and_differences_of_units():
    assert written_interval(0.593, 0.635, "share") == "59.3 to 63.5"
    assert written_interval(60.0, 90.0, "s") == "1 min to 1 min 30 s"
    assert written_interval(None, 1.0, "share") == ""
    assert written_difference(0.5, 0.575, "share") == "+7.5 points"
    assert written_difference(150.0, 96.0, "tokens") == "−54 tokens"
    assert written_difference(1.0, 1.0, "bits") == "0.00 bits"
    assert tick_text(-0.05, "points") == "−5"
    assert tick_text(12000.0, "count") == "12\u202f000"


def test_a_line_that_ends_early_has_its_name_there():
    long = Line("long", [point(str(n), 0.5) for n in (1, 2, 3)])
    short = Line("short", [point("1", 0.5), point("2", 0.5), point("3", None)])
    ends = {line.name: (line.name_x, line.name_y) for line in trend([long, short], "share").lines}
    assert ends["long"][0] == 76.0
    assert ends["short"] == (43.5, ends["long"][1])  # beside the second of three, and not pushed away

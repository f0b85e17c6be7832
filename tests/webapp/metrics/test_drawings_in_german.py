"""Where numbers are written with a comma, those that place a drawing keep their point."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation

from webapp.metrics.charts import (
    Bin,
    Column,
    Difference,
    Line,
    Point,
    bars,
    columns,
    curve,
    forest,
    reliability,
    trend,
)
from webapp.metrics.charts.estimates import Estimated, estimates
from webapp.metrics.charts.history import Stop, history
from webapp.metrics.charts.stacks import Amounts, stacks

COMMA = re.compile(
    r'\s(?:[xyr]\d?|[cdr][xy]|width|height|max|value|min|transform)="[^",]*\d,\d[^" ,]*"'  # in a number
)
POINTS = [Point("1", 0.513, 0.41, 0.617), Point("2", None), Point("3", 0.71, 0.64, 0.83, "held", alarm=True)]
CHARTS = {
    "bars": bars([("Sampled", 97, ""), ("Trained", 31, "66 dropped")]),
    "columns": columns([Column("one", 3.3, 2.1, 4.7), Column("two", 5.1), Column("three", 1)], "s"),
    "curve": curve([(1, 1.37), (2, 0.93), (3, 0.71)], 7),
    "estimates": estimates([Estimated("a", 0.613, 0.57, 0.651, look="doubtful"),
                            Estimated("b", 0.533, 0.451, 0.617, look="best")], "share"),
    "forest": forest([Difference("a", 0.113, 0.051, 0.157), Difference("b", 0.01, -0.11, 0.13)], "points"),
    "history": history([Stop("1", 0.513, 0.41, 0.617, "base"), Stop("2", 0.55, 0.43, 0.67, "held", ["Fell"]),
                        Stop("3", 0.61, 0.53, 0.69, "promoted")]),
    "reliability": reliability([Bin(10, 0.913, 0.817), Bin(7, 0.33, 0.21)]),
    "stacks": stacks([Amounts(str(n), [n + 0.7, 1.9]) for n in range(7)], ["one", "two"], "count"),
    "trend": trend([Line("a", POINTS), Line("b", POINTS), Line("c", POINTS), Line("d", POINTS)], "share"),
}  # fmt: skip
ELSEWHERE = {
    "curate/_ages.html": {"ages": [SimpleNamespace(label=0, width=86.39, count=1200)]},
    "curate/_stacks.html": {
        "stacks": [
            SimpleNamespace(
                label="sft",
                count=3,
                parts=[SimpleNamespace(hue=1, start=12.5, width=86.39, source="a", count=3)],
            )
        ]
    },
    "iterations/decision.html": {
        "decision": {"promote": True, "before": 0.5, "after": 0.6},
        "evidence": {
            "slices": [
                SimpleNamespace(
                    by="Tag",
                    name="a",
                    n=7,
                    before=0.5,
                    after=0.61,
                    change=0.11,
                    broken=False,
                    bar_x=37.25,
                    bar_width=12.75,
                )
            ]
        },
    },
}


def drawn(template, **context):
    with translation.override("de"):
        return render_to_string(template, context)


def test_every_drawing_is_tried():
    folder = Path(settings.BASE_DIR) / "templates/metrics/drawings"
    assert {path.stem for path in folder.glob("*.html")} == set(CHARTS)


@pytest.mark.parametrize("name", CHARTS)
def test_a_drawing_within_a_german_page(name):
    text = drawn(f"metrics/drawings/{name}.html", chart=CHARTS[name], standalone=True)
    assert re.search(r'"\d+\.\d+%?"', text) or name == "curve"
    assert not COMMA.findall(text)


@pytest.mark.parametrize("template", ELSEWHERE)
def test_bars_in_other_templates(template):
    text = drawn(template, project=SimpleNamespace(slug="p"), iteration=SimpleNamespace(number=1, arm="main"),
                 **ELSEWHERE[template])  # fmt: skip
    assert re.search(r'="\d+\.\d+%?"', text)
    assert not COMMA.findall(text)


def test_the_comma_would_be_found():
    assert COMMA.findall('<line x1="0" x2="86,39%"/>') == [' x2="86,39%"']
    assert not COMMA.findall('<polyline points="1.0,2.0 3.5,4.0"/>')

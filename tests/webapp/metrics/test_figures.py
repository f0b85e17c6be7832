"""A figure by address: as a page, as a drawing that stands on its own, as numbers no spreadsheet runs."""

import re
import xml.etree.ElementTree as ET

import pytest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from tests import factories as make
from webapp.metrics import figures
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
    trend,
)
from webapp.metrics.figures import Cell, Figure
from webapp.metrics.views.figures import safe, standing
from webapp.projects.models import Role

pytestmark = pytest.mark.django_db

POINTS = [
    Point("1", 0.5, 0.4, 0.6, href="/x"),
    Point("2", None),
    Point("3", 0.7, 0.6, 0.8, "held", alarm=True),
]
DRAWINGS = {
    "trend": trend([Line("a", POINTS), Line("b", POINTS)], "share"),
    "columns": columns([Column("one", 3.0, 2.0, 4.0), Column("two", 5.0, href="/x")], "count"),
    "reliability": reliability([Bin(10, 0.9, 0.8)]),
    "forest": forest(
        [Difference("accuracy", 0.1, 0.05, 0.15, "/x"), Difference("pass@4", 0.0, -0.1, 0.1)], "points"
    ),
    "bars": bars([("Sampled", 100, ""), ("Trained", 30, "70 dropped")]),
}


def figure_of(drawing="trend", **values) -> Figure:
    return Figure(
        **{
            "key": "made",
            "title": "Accuracy rose <by> 20 points",
            "caption": "Share & interval",
            "template": f"metrics/drawings/{drawing}.html",
            "chart": DRAWINGS[drawing],
            "head": ["Iteration", "=Accuracy"],
            "rows": [[Cell("one", "=HYPERLINK(1)", "/x"), Cell("50 %", -0.5, number=True)]],
            **values,
        }
    )


@pytest.fixture
def project(monkeypatch):
    made = {
        "made": (Role.VIEWER, lambda project, query: figure_of(query=query.get("arm", ""))),
        "leads": (Role.LEAD, lambda project, query: figure_of()),
        "empty": (Role.VIEWER, lambda project, query: None),
    }
    monkeypatch.setattr("webapp.metrics.views.figures.figures", lambda: made)
    return make.project_make()


@pytest.fixture
def get(client, project):
    def got(key, kind, role=Role.VIEWER, query=""):
        client.force_login(make.member_make(project, role=role))
        return client.get(reverse("figure", args=[project.slug, key, kind]) + query)

    return got


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_every_drawing_is_a_file_of_its_own(drawing):
    with translation.override("de"):  # whose decimal comma no drawing understands
        text = render_to_string("metrics/figure.svg", standing(figure_of(drawing)))
    assert not re.search(r'[xy]\d?="[\d.]*,', text)
    root = ET.fromstring(text)  # well-formed without a page around it
    assert root.get("width") == "760"
    assert int(root.get("height")) > DRAWINGS[drawing].height
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title").text == "Accuracy rose <by> 20 points"
    assert root.find(f"{space}desc").text == "Share & interval"
    assert "<style>" in text
    assert not list(root.iter(f"{space}a"))  # a link of the page leads nowhere from a file
    assert "var(" not in text


def test_the_drawing_is_a_download(get):
    response = get("made", "svg")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("image/svg+xml")
    assert response["Content-Disposition"].endswith('-made.svg"')


def test_numbers_are_raw_and_never_formulas(get):
    lines = get("made", "csv").content.decode().splitlines()
    assert lines == ["Iteration,'=Accuracy", "'=HYPERLINK(1),-0.5"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\nx", " =1", "\xa0-1"])
def test_texts_that_begin_like_a_formula_are_quoted(text):
    assert safe(text) == "'" + text


def test_numbers_and_words_stay():
    assert (safe(-1.5), safe("a-b"), safe(" a"), safe("")) == (-1.5, "a-b", " a", "")


def test_the_page_keeps_the_filters(get):
    html = get("made", "html", query="?arm=control&x=1").content.decode()
    assert "made.svg?arm=control&amp;x=1" in html
    assert 'id="figure-made-arm-control-x-1"' in html
    assert "<caption" in html
    assert 'class="num">50 %' in html


@pytest.mark.parametrize(
    ("key", "kind", "role", "status"),
    [
        ("made", "png", Role.VIEWER, 404),
        ("nothing", "svg", Role.LEAD, 404),
        ("empty", "svg", Role.LEAD, 404),
        ("leads", "svg", Role.LEAD, 200),
        ("leads", "csv", Role.ANNOTATOR, 403),
        ("leads", "html", Role.VIEWER, 403),
    ],
)
def test_who_gets_what(get, key, kind, role, status):
    assert get(key, kind, role).status_code == status


def test_outsiders_get_nothing(client, project):
    client.force_login(make.user_make())
    assert client.get(reverse("figure", args=[project.slug, "made", "svg"])).status_code == 404


def test_keys_are_unique_and_roles_known():
    assert all(isinstance(role, Role) for role, _ in figures.figures().values())

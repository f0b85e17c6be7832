"""Figures that rest on answers of programs say so, wherever they are shown."""

import pytest
from django.urls import reverse

from tests import stories
from webapp.metrics.models import MetricValue
from webapp.metrics.values import Simulated, readings_of, simulated_in, turns_of

pytestmark = pytest.mark.django_db
SAID = "answers were given by programs that stand in for people"


@pytest.fixture
def past():
    past = stories.measured_past(prompts=3)
    for i, simulated in ((3, 40), (4, 0), (5, 30)):
        MetricValue.objects.update_or_create(
            project=past.project, iteration=past.iterations[i], model_version=None, name="answers",
            defaults={"value": 70, "unit": "count", "n": 70, "detail": {"simulated": simulated}},
        )  # fmt: skip
    MetricValue.objects.update_or_create(
        project=past.project, iteration=past.iterations[5], model_version=None,
        name="people_agree_with_checker",
        defaults={"value": 0.9, "low": 0.8, "high": 0.95, "unit": "share", "n": 70, "detail": {}},
    )  # fmt: skip
    return past


def test_they_are_counted_in_the_same_query(past, django_assert_num_queries):
    turns = turns_of(past.project)
    with django_assert_num_queries(1):
        readings = readings_of(past.project, turns)
    others = sum(round(r.value) for pk, r in readings["answers"].items() if pk in {t.pk for t in turns[:3]})
    assert simulated_in(readings, turns) == Simulated(70, 210 + others)
    assert simulated_in(readings, turns[3:4]) == Simulated(40, 70)
    assert simulated_in(readings, turns[4:5]) is None


def test_every_page_of_figures_says_so(client, past):
    client.force_login(past.lead)
    slug = past.project.slug
    for name, *args in (
        ("trust",), ("metrics",), ("iteration", 4),
        ("iteration_report", 4, "html"), ("iteration_report", 4, "md"),
    ):  # fmt: skip
        assert SAID in client.get(reverse(name, args=[slug, *args])).content.decode(), name
    assert "40 of 70" in client.get(reverse("iteration", args=[slug, 4])).content.decode()
    for name, *args in (("iteration", 5), ("iteration_report", 5, "html")):
        assert SAID not in client.get(reverse(name, args=[slug, *args])).content.decode()

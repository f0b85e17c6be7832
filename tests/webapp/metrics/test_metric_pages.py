"""The metrics page and a metric's own: what they show, what they cost, who sees them."""

import re

import pytest
from django.urls import reverse

from tests import factories as make
from tests import stories

pytestmark = pytest.mark.django_db


@pytest.fixture
def past():
    return stories.measured_past(prompts=3)


@pytest.fixture
def get(client, past):
    client.force_login(past.lead)

    def got(name, *args, query=""):
        return client.get(reverse(name, args=[past.project.slug, *args]) + query)

    return got


def row_of(html, title):
    found = re.search(rf"<tr>\s*<th scope=\"row\"><a [^>]*>{title}</a>.*?</tr>", html, re.DOTALL)
    assert found, title
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found.group()))


def test_every_group_with_newest_values_and_what_became_of_them(get):
    html = get("metrics").content.decode()
    assert html.index("Accuracy") < html.index("Filter")
    row = row_of(html, "Kept samples that are right")
    assert "98.0 % (97.0 to 99.0)" in row
    assert "= the same" in row
    assert "from 97.0\u202f% to 98.0\u202f%" in html  # the history in words


def test_a_change_the_intervals_explain_is_no_change(get):
    row = row_of(get("metrics").content.decode(), "Different pairs of words")
    assert "≈ unclear" in row


def test_filters_of_the_address(get):
    assert "Nothing measured yet" in get("metrics", query="?recipe=lmsi").content.decode()
    html = get("metrics", query="?arm=control&group=Filter").content.decode()
    assert "50.0 %" in row_of(html, "Kept samples that are right")
    assert "group-accuracy" not in html


def test_a_metric_with_sources_has_a_line_for_each(get):
    html = get("metric", "best_of_n:self_verdict").content.decode()
    assert html.count('class="line s1"') + html.count('class="line s2"') == 4  # bands, and points over them
    assert "lineage/?metric=best_of_n%3Aself_verdict&amp;iteration=6" in html
    assert "lower is better" not in html


def test_the_definition_and_what_the_detail_draws(get):
    html = get("metric", "ece:logprob", query="?iteration=5").content.decode()
    assert "1909.10155" in html
    assert "points more than it is right" in html
    assert "are wrong; of all" in html
    assert 'value="5" selected' in html


def test_a_metric_nobody_declares_is_not_found(get):
    assert get("metric", "luck").status_code == 404


def test_outsiders_see_nothing(client, past):
    client.force_login(make.user_make())
    for address in (
        reverse("metrics", args=[past.project.slug]),
        reverse("metric", args=[past.project.slug, "pass_at_1"]),
    ):
        assert client.get(address).status_code == 404


def test_what_the_pages_cost(get, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        assert get("metrics").status_code == 200
    with django_assert_max_num_queries(12):
        assert get("metric", "pass_at_k").status_code == 200


def test_figures_by_address(get):
    csv = (
        get("figure", "metric", "csv", query="?name=best_of_n:logprob&arm=main").content.decode().splitlines()
    )
    assert csv[0].startswith('Iteration,Recipe,Outcome,"Value, logprob"')
    assert csv[1].startswith("6,rest-em,promoted,0.62,0.58,0.66,400,0.6,")
    assert len(csv) == 6  # without the control
    detail = get("figure", "detail", "csv", query="?name=pass_at_k&iteration=6&part=curve").content.decode()
    assert detail.splitlines()[1] == "1,0.58,0.55,0.61"
    for bad in (
        "name=pass_at_k&iteration=99&part=curve",
        "name=pass_at_k&iteration=6&part=k",
        "name=x&iteration=6&part=curve",
        "",
    ):
        assert get("figure", "detail", "svg", query=f"?{bad}").status_code == 404
    assert get("figure", "metric", "svg", query="?name=luck").status_code == 404

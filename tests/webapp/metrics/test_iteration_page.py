"""What an iteration's page says of what was measured, at the same cost for one iteration or many."""

import pytest
from django.urls import reverse

from tests import stories
from webapp.iterations.models import WorkUnit

pytestmark = pytest.mark.django_db
MOST_QUERIES = 20


@pytest.fixture
def past():
    return stories.measured_past(prompts=3)


@pytest.fixture
def shown(client, past):
    client.force_login(past.lead)
    return lambda number: client.get(reverse("iteration", args=[past.project.slug, number]))


def test_alarms_say_what_was_seen_and_what_to_do(shown):
    html = shown(4).content.decode()
    assert "Distinct bigrams fell from 0.69 to 0.22." in html
    assert "What to do" in html
    assert "Distinct bigrams fell" not in shown(5).content.decode()


def test_values_are_of_this_iteration_against_the_main_one_before(shown, past):
    html = shown(4).content.decode()
    assert "0.22" in html
    assert "▼</span> worse" in html  # pass@k fell beyond both intervals
    assert f"/projects/{past.project.slug}/lineage/?metric=pass_at_k&amp;iteration=4" in html
    assert "?name=heldout_after&amp;until=4" in html  # the figure ends here
    assert "report.md" in html
    assert "Measuring" not in html


def test_while_it_is_measured_the_page_says_so(shown, past):
    WorkUnit.objects.create(
        project=past.project, iteration=past.iterations[5], stage="promote", kind="measure", queue="light"
    )
    assert "Measuring…" in shown(6).content.decode()


def test_the_funnel_and_its_reasons_are_figures(shown):
    html = shown(6).content.decode()
    assert "100 prompts gave 200 trained rows" in html
    assert "Most of what was left out: wrong by the checker (67" in html


def test_what_it_costs_does_not_grow(shown, past, django_assert_max_num_queries):
    stories.trained(past.project, past.iterations[5], [1.5, 1.0, 0.5])
    shown(6)
    for number in (2, 6):
        with django_assert_max_num_queries(MOST_QUERIES):
            assert shown(number).status_code == 200

"""The operations page: for leads; ages, pace, forecast and cost by hand; a sample where much waits."""

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories as make
from tests.webapp.metrics.at_work import at_work_make
from webapp.annotate.models import Assignment
from webapp.metrics import operations_page
from webapp.metrics.figures.operations import BUILDERS
from webapp.metrics.operations_page import Operations
from webapp.projects.models import Role

pytestmark = pytest.mark.django_db

HOUR = 3600


def test_for_leads_and_administrators(client):
    project = make.project_make()
    addresses = [reverse("operations", args=[project.slug])]
    addresses += [reverse("figure", args=[project.slug, key, "csv"]) for key in BUILDERS]
    for role, allowed in (
        (Role.VIEWER, False),
        (Role.ANNOTATOR, False),
        (Role.LEAD, True),
        (Role.ADMIN, True),
    ):
        client.force_login(make.member_make(project, role))
        assert client.get(addresses[0]).status_code == (200 if allowed else 403)
        for address in addresses[1:]:
            assert client.get(address).status_code == (404 if allowed else 403)  # nothing to draw yet
    client.force_login(make.user_make())
    assert client.get(addresses[0]).status_code == 404


@pytest.fixture
def now():
    return Operations(at_work_make().project, timezone.now())


def test_what_waits_and_how_long(now):
    every, steps = now.waiting
    assert (every.tasks, every.wanted, every.about, steps.kind) == (10, 20, False, "step_critique")
    assert every.oldest == pytest.approx(240 * HOUR, abs=120)
    assert every.median == pytest.approx(60 * HOUR, abs=120)  # of ten, the sixth youngest
    figure = BUILDERS["operations-age"](now)
    assert [row[1].raw for row in figure.rows] == [0, 3, 1, 3, 1, 2, 0]
    assert (
        figure.title.replace("\xa0", " ")
        == "Half of what waits has waited for 2 d 12 h or longer; the oldest for 10 d"
    )


def test_pace_and_forecast_count_whole_days(now):
    assert now.answers == 74  # of 28 days
    assert now.pace == pytest.approx((30 + 12 + 28) / 7)  # today is not over
    assert now.empty_in == pytest.approx(20 / 10 * 86400)
    assert [(w.person.username, w.answers, w.days) for w in now.people] == [("bob", 40, 2), ("ada", 34, 2)]
    assert now.people[0].per_hour == pytest.approx(180)


def test_nobody_at_work_means_no_forecast():
    project = make.project_make()
    make.task_make(make.iteration_make(project))
    assert Operations(project, timezone.now()).empty_in is None


def test_what_comes_back(now):
    for state in ("released", "released", "submitted", "submitted", "expired", "active"):
        task = make.task_make(make.iteration_make(now.project))
        Assignment.objects.create(task=task, user=make.user_make(), state=state, lease_until=now.now)
    shares = {str(r.label): (r.rate.value, r.rate.n) for r in now.returned}
    assert shares["Bad problem"] == (pytest.approx(1 / 74), 74)
    assert shares["Skipped"] == (0.4, 5)
    assert shares["Lease ran out"] == (0.2, 5)


def test_agreement_by_week_and_cost_of_a_row(now):
    ((_week, rate),) = now.weeks
    assert (rate.value, rate.n) == (0.75, 4)  # one pair in four differs
    assert [(c.turn.number, c.minutes) for c in now.costs] == [(5, 0.5), (6, 0.5)]  # 30 min, 60 rows
    title = BUILDERS["operations-cost"](now).title.replace("\xa0", " ")
    assert title == "A row that is trained on cost 30 s of people’s time in iteration 6"


def test_where_much_waits_a_sample_stands_for_all(monkeypatch):
    project = make.project_make()
    iteration = make.iteration_make(project)
    for _ in range(8):
        make.task_make(iteration)
    other = make.project_make()
    make.task_make(make.iteration_make(other))
    monkeypatch.setattr(operations_page, "EXACT", 5)
    found = Operations(project, timezone.now()).waiting[0]
    assert (found.tasks, found.wanted, found.about) == (8, 8, False)  # a small table is its own sample
    monkeypatch.setattr(operations_page, "SAMPLED", 0.5)  # of its one page
    found = Operations(project, timezone.now()).waiting[0]
    assert (found.tasks % 2, found.about) == (0, True)  # each of those seen stands for two


def test_the_page_at_a_fixed_cost(client, django_assert_max_num_queries):
    past = at_work_make()
    client.force_login(past.lead)
    with django_assert_max_num_queries(20):
        page = client.get(reverse("operations", args=[past.project.slug])).content.decode()
    for text in ("Empty in about 2 d", "Step critique", "ada", "Critiques people accept", "Wait for review"):
        assert text in page
    assert page.count("<figure") == 4
    for key in BUILDERS:
        for kind in ("svg", "csv", "html"):
            assert client.get(reverse("figure", args=[past.project.slug, key, kind])).status_code == 200

"""The system page: who may see it, what it says of processes, queues and leases, at a fixed cost."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories as make
from tests.webapp.metrics.site import beat_make, site_make, unit_make
from webapp.annotate.models import Assignment
from webapp.metrics.figures.system import units_done
from webapp.metrics.storage_page import storage_read
from webapp.metrics.system_page import Now
from webapp.notices.selectors import deliveries_standing
from webapp.projects.models import Role

pytestmark = pytest.mark.django_db

ADDRESSES = [
    reverse("system"),
    reverse("system_live"),
    reverse("system_figure", args=["units-done", "svg"]),
    reverse("system_figure", args=["units-done", "csv"]),
]


@pytest.fixture
def staff(client):
    user = make.user_make(is_staff=True)
    client.force_login(user)
    return client


@pytest.mark.parametrize("address", ADDRESSES)
def test_for_staff_only(client, address):
    site_make(project := make.project_make())
    assert client.get(address).status_code == 302
    client.force_login(make.member_make(project, role=Role.ADMIN))
    assert client.get(address).status_code == 403
    client.force_login(make.user_make(is_staff=True))
    assert client.get(address).status_code == 200
    client.force_login(make.user_make(is_superuser=True))
    assert client.get(address).status_code == 200


def queues():
    return {q.queue: q for q in Now(timezone.now()).queues}


def test_a_process_not_seen_for_a_minute_is_gone():
    beat_make("model", seconds_ago=55)
    beat_make("model", seconds_ago=65, pid=2)
    assert [(w.beat.pid, w.alive) for w in Now(timezone.now()).workers] == [(100, True), (2, False)]
    assert queues()["model"].workers == 1


def test_what_waits_rests_is_at_work_and_stuck():
    project = make.project_make()
    going = make.iteration_make(project, status="running")
    paused = make.iteration_make(project, status="paused")
    now = timezone.now()
    unit_make(project, going)
    unit_make(project, paused)
    unit_make(project, None)
    unit_make(project, going, state="running", attempt=1, leased_until=now + timedelta(minutes=1))
    unit_make(project, going, state="running", attempt=3, leased_until=now - timedelta(seconds=30))
    found = queues()["model"]
    assert (found.waiting, found.resting, found.running, found.expired, found.again) == (2, 1, 2, 1, 1)
    assert (found.stuck, found.unserved) == (False, True)
    unit_make(project, going, state="running", attempt=1, leased_until=now - timedelta(minutes=3))
    assert queues()["model"].stuck
    assert queues()["light"].oldest is None


def test_what_needs_a_look_is_said_worst_first():
    project = make.project_make()
    going = make.iteration_make(project, status="running")
    unit_make(project, going)
    unit_make(project, going, state="failed", hours_ago=2, error="no")
    unit_make(project, going, state="failed", hours_ago=30, error="long ago")
    found = Now(timezone.now()).troubles
    assert [t.level for t in found] == ["bad", "bad", "warn"]
    assert "scheduler" in found[0].text
    assert "“model”" in found[1].text
    assert found[2].text.endswith(": 1")
    beat_make("scheduler")
    beat_make("several")  # one worker for all queues
    assert [t.level for t in Now(timezone.now()).troubles] == ["warn"]


def test_people_s_claims_live_and_lapsed():
    task = make.task_make(make.iteration_make(make.project_make()), overlap=2)
    now = timezone.now()
    for lease in (now + timedelta(minutes=5), now - timedelta(minutes=5)):
        Assignment.objects.create(task=task, user=make.user_make(), lease_until=lease)
    assert (Now(now).claims.live, Now(now).claims.expired) == (1, 1)
    assert deliveries_standing(now=now).waiting == 0


def test_units_by_hour_and_kind():
    project = make.project_make()
    now = timezone.now().replace(minute=30)
    for kind, hours in (("generate", 0), ("generate", 1), ("measure", 1), ("generate", 25)):
        unit_make(project, kind=kind, state="done", finished_at=now - timedelta(hours=hours))
    figure = units_done(now)
    assert figure.title == "3 units were finished in the last 24 hours, most of them generate"
    assert figure.head == ["Hour (UTC)", "generate", "measure"]
    assert len(figure.rows) == 24
    assert [[cell.raw for cell in row[1:]] for row in figure.rows[:3]] == [[1, 0], [1, 1], [0, 0]]
    for kind in "abc":
        unit_make(project, kind=kind, state="done", finished_at=now)
    evened = units_done(now)  # 2 of 6: not most
    assert evened.title.endswith("of no kind more than of generate (2)")
    names = [name for _, name, _ in evened.chart.names]
    assert (len(names), names[0], names[-1]) == (4, "generate", "others")
    assert units_done(now + timedelta(days=2)) is None


def test_storage_is_estimated_never_counted():
    site_make()
    found = storage_read()
    assert found.database > 1 << 20
    assert {"pg_class"}.isdisjoint(t.name for t in found.tables)
    assert found.tables[0].bytes >= found.tables[-1].bytes > 0
    assert [p.place for p in found.places] == ["runs", "adapters", "exports"]


def test_the_page_costs_the_same_however_much_there_is(staff, django_assert_max_num_queries):
    project = site_make()
    with django_assert_max_num_queries(20):
        page = staff.get(reverse("system"))
    for text in (
        "NVIDIA H200",
        "the engine ran out of memory",
        "gone",
        "15 400".replace(" ", "\u202f"),
        "38.0",
    ):
        assert text in page.content.decode()
    for n in range(12):
        beat_make("light", pid=200 + n)
        unit_make(project, make.iteration_make(make.project_make()), state="failed", hours_ago=1)
    with django_assert_max_num_queries(20):
        assert staff.get(reverse("system")).status_code == 200
    with django_assert_max_num_queries(12):
        live = staff.get(reverse("system_live"))
    assert "<html" not in live.content.decode()


def test_an_empty_site_has_an_empty_page(staff):
    page = staff.get(reverse("system")).content.decode()
    assert "No process has reported" in page
    assert staff.get(reverse("system_figure", args=["units-done", "csv"])).status_code == 404
    assert staff.get(reverse("system_figure", args=["none", "csv"])).status_code == 404

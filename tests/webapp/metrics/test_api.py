"""The routes that give values, definitions and alarms; outsiders are told that there is nothing."""

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from tests import factories as make
from tests.webapp.metrics import fake
from webapp.metrics.models import Alarm, MetricValue
from webapp.projects.models import Role

pytestmark = pytest.mark.django_db
ROUTES = ("metrics", "metrics/definitions", "iterations/1/metrics", "alarms")
GROUPS = (
    fake.group("accuracy", fake.metric("samples_right"), fake.metric("best_of_n:*")),
    fake.group("people", fake.metric("answers")),
)


@pytest.fixture(autouse=True)
def known():
    with fake.groups(*GROUPS):
        yield


@pytest.fixture
def project():
    """Two iterations and a control arm, each with three values; one alarm open, one seen."""
    project = make.project_make(slug="sums")
    for arm in ("main", "main", "shuffled"):
        iteration = make.iteration_make(project, arm=arm)
        for name in ("samples_right", "best_of_n:logprob", "answers"):
            MetricValue.objects.create(
                project=project, iteration=iteration, name=name, value=0.5, low=0.25, high=0.75, n=8,
                unit="share", detail={"k": 4},
            )  # fmt: skip
    MetricValue.objects.filter(name="answers").update(low=None, high=None)
    lead = make.member_make(project, role=Role.LEAD, username="lea")
    for number, seen in ((1, "2026-01-01T00:00:00Z"), (2, None)):
        Alarm.objects.create(
            project=project, iteration=project.iterations.get(number=number), key="collapse", level="bad",
            metric="samples_right", text="It fell.", facts={"limit": 0.1}, seen_at=seen,
            seen_by=lead if seen else None,
        )  # fmt: skip
    return project


@pytest.fixture
def api(project):
    client = APIClient()
    client.force_authenticate(make.member_make(project, role=Role.VIEWER))
    return client


def get(api, route, **query):
    reply = api.get(f"/api/projects/sums/{route}", query)
    assert reply.status_code == 200, reply.content
    return reply.json()


def named(api, **query):
    return [(v["iteration"], v["name"]) for v in get(api, "metrics", **query)["values"]]


def test_a_value_has_everything_it_needs_to_be_read(api):
    first = get(api, "metrics")["values"][0]
    measured_at = first.pop("measured_at")
    assert measured_at.startswith("20")
    assert first == {
        "iteration": 1, "arm": "main", "name": "samples_right", "group": "accuracy", "value": 0.5,
        "ci95": [0.25, 0.75], "n": 8, "unit": "share", "version": 1,
    }  # fmt: skip
    assert get(api, "metrics", name="answers")["values"][0]["ci95"] is None
    assert get(api, "metrics", detail=1)["values"][0]["detail"] == {"k": 4}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"iteration": [1, 3], "name": "answers"}, [(1, "answers"), (3, "answers")]),
        ({"name": "best_of_n", "iteration": 1}, [(1, "best_of_n:logprob")]),
        ({"name": "best_of_n:*", "iteration": 1}, [(1, "best_of_n:logprob")]),
        ({"name": "best_of_n:logprob", "arm": "shuffled"}, [(3, "best_of_n:logprob")]),
        ({"name": "best_of_n:oracle"}, []),
        ({"group": "accuracy", "iteration": 2}, [(2, "samples_right"), (2, "best_of_n:logprob")]),
        ({"arm": "shuffled", "group": "people"}, [(3, "answers")]),
        ({"iteration": 9}, []),
    ],
)
def test_filters(api, query, found):
    assert named(api, **query) == found


def test_pages_lead_to_each_other_and_lose_nothing(api):
    got, address = [], "/api/projects/sums/metrics?limit=2&group=accuracy"
    while address:
        page = api.get(address).json()
        got += [(v["iteration"], v["name"]) for v in page["values"]]
        address = page["next"]
    assert got == named(api, group="accuracy")
    assert len(got) == 6


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "after=-1", "iteration=²", "arm=left", "group=none", "name=%00"],
)
def test_what_cannot_be_read_is_said(api, query):
    assert api.get(f"/api/projects/sums/metrics?{query}").status_code == 400


def test_one_iteration(api):
    found = get(api, "iterations/2/metrics")
    assert (found["iteration"], found["recipe"], found["status"]) == (2, "self", "waiting")
    assert [v["name"] for v in found["values"]] == ["answers", "best_of_n:logprob", "samples_right"]
    assert api.get("/api/projects/sums/iterations/9/metrics").status_code == 404


def test_definitions_are_the_formulas(api):
    found = get(api, "metrics/definitions")
    assert [d["name"] for d in found] == ["samples_right", "best_of_n:*", "answers"]
    assert (found[0]["formula"], found[0]["group"]) == ("c / n", "accuracy")


def test_alarms_the_latest_first(api):
    assert [(a["iteration"], a["seen_by"]) for a in get(api, "alarms")] == [(2, None), (1, "lea")]
    assert [a["iteration"] for a in get(api, "alarms", open=1)] == [2]
    assert [a["facts"] for a in get(api, "alarms", iteration=1)] == [{"limit": 0.1}]


@pytest.mark.parametrize("route", ROUTES)
def test_outsiders_learn_nothing(project, route):
    client = APIClient()
    address = f"/api/projects/sums/{route}"
    assert client.get(address).status_code in (401, 403)
    client.force_authenticate(make.user_make())
    assert client.get(address).status_code == 404
    client.force_authenticate(make.member_make(project, role=Role.VIEWER))
    assert client.post(address).status_code == 405


def test_the_number_of_queries_does_not_grow(api, project, django_assert_num_queries):
    get(api, "metrics")
    with django_assert_num_queries(3):  # the project, the role, the values
        get(api, "metrics", group="accuracy")
    with django_assert_num_queries(3):
        get(api, "alarms")


def test_the_schema_describes_the_routes_and_none_of_the_api_warns():
    GENERATOR_STATS.reset()
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    assert {
        "/api/projects/{slug}/metrics",
        "/api/projects/{slug}/metrics/definitions",
        "/api/projects/{slug}/iterations/{number}/metrics",
        "/api/projects/{slug}/alarms",
    } <= set(paths)
    assert not GENERATOR_STATS

"""What Prometheus reads: well-formed, the latest of everything, for those who may."""

from datetime import timedelta

import pytest
from django.utils import timezone
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.authtoken.models import Token

from tests import factories as make
from webapp.annotate.models import DayCount
from webapp.iterations.models import WorkUnit
from webapp.metrics.models import Alarm, MetricValue, WorkerBeat

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def secret(settings):
    settings.METRICS_TOKEN = "secret"


def ask(client, token="secret", **headers):
    return client.get("/metrics", headers={"authorization": f"Bearer {token}", **headers})


def samples(reply, parse=text_string_to_metric_families):
    assert reply.status_code == 200, reply.content
    found = [s for family in parse(reply.content.decode()) for s in family.samples]
    return {named(s.name, *s.labels.values()): s.value for s in found}


def named(name, *labels):
    """The order of labels says nothing."""
    return (name, *sorted(labels))


def value(iteration, name, number, **values):
    MetricValue.objects.create(
        project=iteration.project, iteration=iteration, name=name, value=number, **values
    )


def unit(project, **values):
    WorkUnit.objects.create(
        project=project, **{"stage": "generate", "kind": "generate", "queue": "model", **values}
    )


@pytest.fixture
def project():
    project = make.project_make(slug="sums")
    first = make.iteration_make(project, status="done", stage="done")
    value(first, "samples_right", 0.25)
    value(first, "gv_gap:critic", 0.125)
    second = make.iteration_make(project, status="waiting", stage="annotate")
    value(second, "samples_right", 0.5, low=0.375, high=0.625)
    control = make.iteration_make(project, arm="shuffled", status="done", stage="done")
    value(control, "samples_right", 0.0)
    for key, level in (("collapse", "bad"), ("judge_bias", "warn"), ("edit_collapse", "warn")):
        Alarm.objects.create(project=project, iteration=first, key=key, level=level, text="")
    Alarm.objects.filter(key="edit_collapse").update(seen_at=timezone.now())
    unit(project)
    unit(project, state="running", queue="train", kind="train")
    unit(project, state="failed")
    unit(project, state="done")
    unit(project, state="done")
    WorkUnit.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    DayCount.objects.create(
        project=project, user=make.user_make(), day=timezone.now().date(), answers=3, seconds=42.0
    )
    gpu = {"name": "H200", "memory_used": 10, "memory_total": 40, "utilisation": None}
    for name, seen, devices in (("a", 5, [gpu]), ("b", 1, [gpu]), ("gone", 600, [])):
        at = timezone.now() - timedelta(seconds=seen)
        WorkerBeat.objects.create(
            name=name, queue="model", host="box", pid=1, done=7, memory=2048, devices=devices,
            started_at=at, seen_at=at,
        )  # fmt: skip
    return project


def test_it_says_how_everything_is(client, project):
    found = samples(ask(client))
    age = found.pop(("whetstone_queue_oldest_seconds", "model"))
    assert 120 <= age < 180
    expected = {
        ("whetstone_metric", "sums", "samples_right", ""): 0.5,
        ("whetstone_metric_low", "sums", "samples_right", ""): 0.375,
        ("whetstone_metric_high", "sums", "samples_right", ""): 0.625,
        ("whetstone_metric_iteration", "sums", "samples_right", ""): 2,
        ("whetstone_metric", "sums", "gv_gap", "critic"): 0.125,
        ("whetstone_metric_iteration", "sums", "gv_gap", "critic"): 1,
        ("whetstone_alarms_open", "sums", "bad"): 1,
        ("whetstone_alarms_open", "sums", "warn"): 1,
        ("whetstone_iteration_open", "sums", "annotate", "waiting"): 2,
        ("whetstone_queue_waiting", "model"): 1,
        ("whetstone_queue_waiting", "light"): 0,
        ("whetstone_queue_running", "train"): 1,
        ("whetstone_queue_oldest_seconds", "light"): 0,
        ("whetstone_units_finished_total", "generate"): 2,
        ("whetstone_units_failed", "generate"): 1,
        ("whetstone_workers", "model"): 2,
        ("whetstone_workers", "light"): 0,
        ("whetstone_worker_memory_bytes", "a", "model"): 2048,
        ("whetstone_worker_units_total", "b", "model", "done"): 7,
        ("whetstone_device_memory_used_bytes", "box", "0", "H200"): 10,
        ("whetstone_answers_total", "sums"): 3,
        ("whetstone_answer_seconds_total", "sums"): 42,
    }
    assert {key: found.get(named(*key)) for key in expected} == expected
    assert named("whetstone_worker_memory_bytes", "gone", "model") not in found
    assert not any(name == "whetstone_device_utilisation" for name, *_ in found)


def test_open_metrics_where_that_is_asked_for(client, project):
    accept = "application/openmetrics-text; version=1.0.0"
    found = samples(ask(client, accept=accept), open_families)
    assert found["whetstone_answers_total", "sums"] == 3


def test_it_costs_the_same_however_many_there_are(client, project, django_assert_num_queries):
    for n in range(3):
        iteration = make.iteration_make(make.project_make())
        value(iteration, f"metric_{n}", 1.0)
        unit(iteration.project)
    with django_assert_num_queries(8):
        ask(client)


def test_an_empty_server_is_well_formed(client):
    assert samples(ask(client))["whetstone_queue_waiting", "model"] == 0


@pytest.mark.parametrize(
    ("person", "code"),
    [
        ({"is_staff": True}, 200),
        ({"is_superuser": True}, 200),
        ({}, 401),
        ({"is_staff": True, "is_active": False}, 401),
    ],
)
def test_the_api_token_of_the_staff_opens_it(client, person, code):
    token = Token.objects.create(user=make.user_make(**person))
    assert ask(client, token.key).status_code == code


@pytest.mark.parametrize("header", ["", "secret", "Basic secret", "Bearer", "Bearer ", "Bearer wrong"])
def test_nobody_else_is_told_anything(client, header):
    reply = client.get("/metrics", headers={"authorization": header})
    assert (reply.status_code, reply["WWW-Authenticate"]) == (401, 'Bearer realm="metrics"')
    assert b"whetstone" not in reply.content


def test_no_token_set_is_not_an_empty_token(client, settings):
    settings.METRICS_TOKEN = ""
    assert ask(client, "").status_code == 401
    client.force_login(make.user_make(is_superuser=True))
    assert client.get("/metrics").status_code == 401
    assert client.post("/metrics").status_code == 405

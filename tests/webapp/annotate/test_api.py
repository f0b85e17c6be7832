"""The routes: what the page needs in one reply, and the services' refusals as 400, 403, 404 and 409."""

import json
import uuid

import pytest
from rest_framework.test import APIClient

from tests import factories as make
from webapp.annotate import schema
from webapp.annotate.models import Annotation
from webapp.projects.models import Role


@pytest.fixture
def api(person):
    client = APIClient()
    client.force_authenticate(person)
    return client


@pytest.fixture
def task(iteration):
    make.guidelines_make(iteration.project)
    task = make.task_make(iteration, show_reference=True)
    make.model_critique_make(task.response)
    return task


def take(api, project, **body):
    return api.post(f"/api/projects/{project.slug}/tasks/next", body, format="json")


def test_next_gives_everything_the_page_needs(api, project, task):
    make.task_make(task.iteration)
    reply = take(api, project).json()
    item = reply["item"]
    assert reply["waiting"] == 1
    assert set(item) == set(schema.ItemOut().fields)
    assert item["prompt"]["text"] == task.prompt.text
    assert [s["text"] for s in item["responses"][0]["steps"]] == ["2 + 2 = 4", "4 + 1 = 6", "Answer: 6"]
    assert item["reference"] == "4"
    assert item["model_critique"]["first_error"] == 1
    assert item["guidelines"]["number"] == 1


def test_policy_hides_critique_and_reference(api, project, iteration):
    task = make.task_make(iteration, show_model_critique=False)
    make.model_critique_make(task.response)
    item = take(api, project).json()["item"]
    assert (item["model_critique"], item["reference"]) == (None, None)


def test_candidates_come_in_display_order(api, project, iteration):
    task = make.preference_task_make(iteration, "Answer: 1", "Answer: 2", "Answer: 3")
    responses = take(api, project).json()["item"]["responses"]
    assert [r["id"] for r in responses] == [str(task.response_ids[r["candidate"]]) for r in responses]
    assert [r["candidate"] for r in responses] == task.assignments.get().order


def test_nothing_waits(api, project):
    assert take(api, project).json() == {"item": None, "waiting": 0, "why": ""}


def test_draft_heartbeat_submit(api, project, task, answer):
    base = f"/api/assignments/{take(api, project).json()['item']['token']}"
    assert (
        api.put(f"{base}/draft", {"payload": {"a": 1}, "revision": 0}, format="json").json()["revision"] == 1
    )
    stale = api.put(f"{base}/draft", {"payload": {"a": 2}, "revision": 0}, format="json")
    assert stale.status_code == 409
    assert (stale.json()["code"], stale.json()["draft"]["payload"]) == ("draft_conflict", {"a": 1})
    assert take(api, project).json()["item"]["draft"] == {"payload": {"a": 1}, "revision": 1}
    assert api.post(f"{base}/heartbeat").status_code == 200
    body = {"submit_key": str(uuid.uuid4()), "payload": answer, "seconds": 9.5}
    first, again = (api.post(f"{base}/submit", body, format="json") for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    made = Annotation.objects.get()
    revised = {"payload": {"marks": [1, 1, 1], "verdict": "right"}, "revision": 1}
    assert api.put(f"/api/annotations/{made.pk}", revised, format="json").json()["revision"] == 2


def test_skip(api, project, task):
    token = take(api, project).json()["item"]["token"]
    assert (
        api.post(f"/api/assignments/{token}/skip", {"reason": "too long"}, format="json").status_code == 200
    )
    assert take(api, project).json()["item"] is None


def test_refusals(api, project, task, answer):
    token = take(api, project).json()["item"]["token"]
    bad = api.post(f"/api/assignments/{token}/submit", {"submit_key": "x", "payload": answer}, format="json")
    assert bad.status_code == 400
    assert "submit_key" in bad.json()["problems"][0]
    body = {"submit_key": str(uuid.uuid4()), "payload": {"marks": [1], "verdict": "right"}}
    unfit = api.post(f"/api/assignments/{token}/submit", body, format="json")
    assert (unfit.status_code, unfit.json()["problems"]) == (
        400,
        ["The response has 3 steps, the answer has 1 marks."],
    )
    assert api.post(f"/api/assignments/{uuid.uuid4()}/heartbeat").status_code == 404


def test_roles(project, task):
    client = APIClient()
    assert take(client, project).status_code in (401, 403)
    client.force_authenticate(make.member_make(project, Role.VIEWER))
    assert take(client, project).status_code == 403
    client.force_authenticate(make.user_make())
    assert take(client, project).status_code == 404


def test_a_stranger_cannot_touch_a_claim(api, project, task, answer):
    token = take(api, project).json()["item"]["token"]
    client = APIClient()
    client.force_authenticate(make.member_make(project))
    body = {"submit_key": str(uuid.uuid4()), "payload": answer}
    assert client.post(f"/api/assignments/{token}/submit", body, format="json").status_code == 404


def test_token_authentication_works(project, task, person):
    from rest_framework.authtoken.models import Token

    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=person).key}")
    assert take(client, project).json()["item"]["task"] == task.pk


def test_the_queries_of_a_claim_do_not_grow_with_the_steps(
    api, project, iteration, django_assert_num_queries
):
    make.task_make(iteration, *[f"{i} + 1 = {i + 1}" for i in range(40)])
    # project and role; savepoint, facts, own claim, next task, insert, release; what waits; the item
    with django_assert_num_queries(9):
        take(api, project)


def test_the_schema_describes_the_routes(api):
    paths = api.get("/api/schema/?format=json").json()["paths"]
    assert {
        "/api/projects/{slug}/tasks/next",
        "/api/assignments/{token}/draft",
        "/api/assignments/{token}/heartbeat",
        "/api/assignments/{token}/submit",
        "/api/assignments/{token}/skip",
        "/api/annotations/{id}",
    } <= set(paths)
    submit = paths["/api/assignments/{token}/submit"]["post"]
    assert set(submit["responses"]) == {"200", "400", "404", "409"}


@pytest.mark.parametrize("bad", ["\0", "\ud800", "a\udfffb"])
def test_text_that_cannot_be_stored_is_refused_in_one_sentence(api, project, task, bad):
    token = take(api, project).json()["item"]["token"]
    address = f"/api/assignments/{token}"
    answer = {"marks": [1, 1, 1], "verdict": "right"}
    key = str(uuid.uuid4())
    unsure = {"reason": "", "partial": {"a": [{bad: 1}]}}
    bodies = [
        (api.put, "draft", {"payload": {"comments": {"0": f"so {bad}"}}, "revision": 0}),
        (api.post, "submit", {"payload": answer | {"comments": {"0": f"so {bad}"}}, "submit_key": key}),
        (api.post, "submit", {"payload": unsure, "outcome": "unsure", "submit_key": key}),
        (api.post, "submit", {"payload": answer, "submit_key": key, "step_seconds": {bad: 1.0}}),
    ]
    for send, what, body in bodies:
        reply = send(f"{address}/{what}", json.dumps(body), content_type="application/json")
        assert (reply.status_code, len(reply.json()["problems"])) == (400, 1), what
        assert "cannot be stored" in reply.json()["problems"][0]
    assert not Annotation.objects.exists()

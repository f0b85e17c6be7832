"""One click, five products, of stored answers: counted while typing, shown to leads, downloaded."""

import json
import re

import pytest
from django.test import AsyncRequestFactory
from django.urls import reverse
from rest_framework.test import APIClient

from loop.dialects import dialect_named
from tests import factories as make
from webapp.annotate import services
from webapp.annotate.models import Regeneration
from webapp.annotate.products import critiques_of, makes_of, product_lines, products_of
from webapp.annotate.views.task import products_download
from webapp.projects.models import Role

RIGHT = {"marks": [1, 1, 1], "first_error": None, "verdict": "right"}


@pytest.fixture
def lead(project, client):
    user = make.member_make(project, role=Role.LEAD)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return user


@pytest.fixture
def task(iteration):
    task = make.task_make(iteration, overlap=2)
    make.model_critique_make(task.response)
    return task


@pytest.fixture
def vote(project, submit):
    def go(payload):
        return submit(
            services.assignment_claim(user=make.member_make(project), project=project), payload=payload
        )

    return go


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def test_a_saved_draft_is_told_what_it_makes(project, task, person, django_assert_max_num_queries):
    api = APIClient()
    api.force_authenticate(person)
    item = api.post(f"/api/projects/{project.slug}/tasks/next", {}, format="json").json()["item"]
    where = f"/api/assignments/{item['token']}/draft"
    payload = {"marks": [1, -1, None], "first_error": 1, "corrections": {"1": "4 + 1 = 5"}, "verdict": ""}
    reply = api.put(where, {"payload": payload, "revision": 0}, format="json").json()
    assert [m["words"] for m in reply["makes"]] == [
        "1 correction",
        "1 step pair",
        "1 critic row",
        "2 step labels",
        "1 calibration point",
    ]
    again = payload | {"corrections": {}}
    with django_assert_max_num_queries(6):  # savepoint, claim, lease, draft, save, savepoint
        reply = api.put(where, {"payload": again, "revision": 1}, format="json").json()
    assert reply["makes"][0] == {"product": "trajectory", "count": 1, "words": "1 backtrack point"}


def test_an_alternative_that_says_what_the_correction_says_is_counted_once(project, task, person):
    api = APIClient()
    api.force_authenticate(person)
    item = api.post(f"/api/projects/{project.slug}/tasks/next", {}, format="json").json()["item"]
    where = f"/api/assignments/{item['token']}/draft"
    asked = Regeneration.objects.create(
        project=project, task=task, author=person, response=task.response, step=1
    )
    better, same = (
        make.response_make(
            task.prompt,
            "2 + 2 = 4",
            "4 + 1 = 5",
            origin="continuation",
            parent=task.response,
            regeneration=asked,
        )
        for _ in range(2)
    )
    payload = {"marks": [1, -1, None], "first_error": 1, "corrections": {"1": "4 + 1 = 5"}}
    payload["branches"] = [
        {"step": 1, "response": str(one.pk), "mark": 1, "chosen": one is better} for one in (better, same)
    ]
    made = api.put(where, {"payload": payload, "revision": 0}, format="json").json()["makes"]
    assert {m["product"]: m["count"] for m in made}["step_pair"] == 1
    payload["branches"][0]["response"] = "nothing"
    assert api.put(where, {"payload": payload, "revision": 1}, format="json").status_code == 200


@pytest.mark.parametrize(
    "draft",
    [
        {},
        {"marks": "x"},
        {"marks": [1], "first_error": "one"},
        {"marks": [[]]},
        {"marks": [1], "branches": [1]},
        {"marks": [1, -1], "first_error": 1, "corrections": "x"},
        {"marks": [1], "verdict": "maybe"},
    ],
)
def test_a_damaged_draft_makes_nothing(draft):
    assert makes_of("step_critique", draft, model_critique=True, split="train") == []


def test_a_comparison_makes_nothing_of_this():
    assert makes_of("preference", {"marks": [1]}, model_critique=True, split="train") == []


def test_every_answer_and_the_final_word_with_their_texts(
    task, vote, answer, lead, django_assert_num_queries
):
    first = vote(answer | {"spans": {"1": [[0, 5]]}})
    vote(RIGHT)
    services.adjudicate(by=lead, task=task, payload=answer)
    rows = critiques_of(task)
    assert [row.final for row in rows] == [False, False, True]
    with django_assert_num_queries(1):  # the model's critiques; no alternatives to read
        made = products_of(rows, dialect_named("chat"))
    assert made[0].words == "1 correction · 1 step pair · 1 critic row · 2 step labels · 1 calibration point"
    assert made[1].words == "1 critic row · 3 step labels · 1 calibration point"
    labels = made[0].made[3].data
    assert [labels["text"][a:b] for a, b in labels["masked"]] == ["4 + 1"]
    assert made[0].critique.annotation == first


def test_the_page_of_a_task(client, lead, project, task, vote, answer, django_assert_max_num_queries):
    first = vote(answer)
    vote(RIGHT)
    services.adjudicate(by=lead, task=task, payload=RIGHT, note="Both steps hold.")
    with django_assert_max_num_queries(28):
        page = text_of(client.get(reverse("task", args=[project.slug, task.pk])))
    for words in (
        "4 + 1 = 5",
        "backtrack",
        "1 critic row",
        "Both steps hold.",
        str(first.user),
        "Final word",
    ):
        assert (words in page) == (words != "backtrack")
    assert "Adjudicate" not in page.split("<main")[0]
    assert "Change the final word" in page


def test_the_download_holds_what_counts(client, lead, project, iteration, task, vote, answer):
    vote(answer)
    vote(RIGHT)
    made = services.adjudicate(by=lead, task=task, payload=answer)
    plain = make.task_make(iteration)
    own = vote(RIGHT)
    rejected = make.task_make(iteration)
    services.answer_reject(by=lead, annotation=vote(answer))
    address = reverse("products_download", args=[project.slug])
    reply = client.get(address)
    assert reply["Content-Disposition"] == f'attachment; filename="{project.slug}-products.jsonl"'
    lines = [json.loads(line) for line in b"".join(reply.streaming_content).decode().splitlines()]
    assert {(row["task"], row["adjudication"], row["annotation"]) for row in lines} == {
        (task.pk, made.pk, None),
        (plain.pk, None, own.pk),
    }
    assert rejected.pk not in {row["task"] for row in lines}
    pairs = client.get(address, {"product": "step_pair"})
    (pair,) = [json.loads(line) for line in b"".join(pairs.streaming_content).decode().splitlines()]
    assert (pair["data"]["chosen"], pair["data"]["rejected"], pair["final"]) == (
        "4 + 1 = 5",
        "4 + 1 = 6",
        True,
    )
    assert client.get(address, {"product": "gold"}).status_code == 404


def test_the_download_is_a_stream_behind_asgi_too(project, iteration, vote, answer, lead):
    make.task_make(iteration)
    vote(answer)
    request = AsyncRequestFactory().get("/")
    request.user = lead
    reply = products_download(request, slug=project.slug)
    assert reply.streaming
    assert not reply.is_async  # else its thread would gather the whole file first
    assert len(b"".join(reply).splitlines()) == 4


def test_the_download_reads_in_parts(
    project, iteration, vote, answer, monkeypatch, django_assert_num_queries
):
    for _ in range(5):
        make.task_make(iteration)
        vote(answer)
    whole = list(product_lines(project))
    monkeypatch.setattr("webapp.annotate.products.AT_ONCE", 2)
    with django_assert_num_queries(3 * 3 + 1):  # tasks, critiques, the model's; the end
        assert list(product_lines(project)) == whole
    assert len(whole) == 5 * 4

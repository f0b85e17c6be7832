"""The lead's pages: who may see them, what they show, what their buttons do, how many queries they cost."""

import re
import uuid

import pytest
from django.urls import reverse

from tests import factories as make
from webapp.annotate import services
from webapp.annotate.models import Adjudication, Annotation, AnnotationTask, Flag
from webapp.projects.models import Role

RIGHT = {"marks": [1, 1, 1], "first_error": None, "verdict": "right"}


def enter(client, user):
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return user


@pytest.fixture
def lead(project, make, client):
    return enter(client, make.member_make(project, role=Role.LEAD, username="lea"))


@pytest.fixture
def vote(project, submit):
    def go(payload, **values):
        name = values.pop("name", None)
        who = make.member_make(project, **({"username": name} if name else {}))
        return submit(services.assignment_claim(user=who, project=project), payload=payload, **values)

    return go


@pytest.fixture
def disputed(iteration, vote, answer):
    task = make.task_make(iteration, overlap=2)
    make.model_critique_make(task.response)
    first, second = vote(answer, name="ann"), vote(RIGHT, name="bob")
    task.refresh_from_db()
    return task, first, second


@pytest.fixture
def calm(iteration, vote, answer):
    task = make.task_make(iteration)
    return task, vote(answer, name="cyd")


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def url(name, project, *rest):
    return reverse(name, args=[project.slug, *rest])


def test_disagreements_come_first_with_counts_and_filters(client, lead, project, calm, disputed):
    page = client.get(url("review", project))
    assert [row.task.pk for row in page.context["rows"]] == [disputed[0].pk, calm[0].pk]
    assert [(t["state"], t["count"]) for t in page.context["tabs"]][:2] == [("waiting", 2), ("disputed", 1)]
    text = text_of(page)
    assert "they disagree" in text
    assert "first error: step 2" in text
    only = client.get(url("review", project), {"state": "disputed"})
    assert [row.task.pk for row in only.context["rows"]] == [disputed[0].pk]
    cyd = client.get(url("review", project), {"person": calm[1].user_id})
    assert [row.task.pk for row in cyd.context["rows"]] == [calm[0].pk]
    assert "No task fits" in text_of(client.get(url("review", project), {"kind": "preference"}))
    assert client.get(url("review", project), {"person": "x", "iteration": "9" * 30}).status_code == 200


def test_the_list_costs_the_same_for_more_tasks(
    client, lead, project, iteration, vote, answer, django_assert_max_num_queries
):
    for n in range(5):
        make.task_make(iteration, overlap=1 + n % 2)
        vote(answer)
        if n % 2:
            vote(RIGHT)
    with django_assert_max_num_queries(18):
        assert len(client.get(url("review", project)).context["rows"]) == 5


def test_bulk_accept_of_the_ticked_and_of_all(client, lead, project, iteration, calm, disputed, vote, answer):
    make.task_make(iteration)
    vote(answer)
    address = url("review", project)
    page = client.post(address, {"task": [calm[0].pk, disputed[0].pk], "all": "0"}, follow=True)
    assert "1 answer accepted." in text_of(page)
    assert set(Annotation.objects.filter(state="accepted")) == {calm[1]}
    page = client.post(address, {"all": "1"}, follow=True)
    assert "1 answer accepted." in text_of(page)
    assert Annotation.objects.filter(state="submitted").count() == 2  # the disputed ones
    assert "No answer was accepted" in text_of(client.post(address, {"all": "0"}, follow=True))


def test_a_task_shows_every_voice_beside_the_steps(
    client, lead, project, disputed, django_assert_max_num_queries
):
    task, *_ = disputed
    with django_assert_max_num_queries(22):
        page = client.get(url("review_task", project, task.pk))
    text = text_of(page)
    assert "1 disputed step" in text
    assert page.context["state"]["opens_at"] == 1
    voices = [[(s.by, s.sign) for s in step.said] for step in page.context["shown"].steps]
    assert voices[1] == [("A", "−"), ("B", "+"), ("model", "−")]
    assert "4 + 1 = 5" in text
    assert "Check the sum." in text
    assert "ann" in text
    hidden = text_of(client.get(url("review_task", project, task.pk), {"names": "hidden"}))
    assert "ann</span>" not in hidden
    assert "somebody" in hidden


def test_taking_an_answer_as_the_final_word(client, lead, project, disputed, calm):
    task, first, _ = disputed
    address = url("review_task", project, task.pk)
    page = client.post(address, {"action": "adjudicate", "word": f"vote:{first.pk}", "revision": "0"})
    assert page.headers["Location"] == url("review_task", project, calm[0].pk)  # the next one at once
    made = Adjudication.objects.get()
    assert (made.payload, made.based_on, made.author) == (first.payload, first, lead)
    again = client.get(address)
    assert again.context["chosen"] == f"vote:{first.pk}"
    assert "Change the final word" in text_of(again)


def test_editing_into_a_final_word_keeps_what_still_fits(client, lead, project, disputed):
    task, first, _ = disputed
    Annotation.objects.filter(pk=first.pk).update(payload=first.payload | {"spans": {"1": [[0, 1]]}})
    body = {
        "action": "adjudicate", "word": "edit", "based_on": first.pk, "revision": "0", "note": "Off by one.",
        "mark-0": "0", "mark-1": "-1", "correction-1": "4 + 1 = 5", "comment-0": "Obvious.",
    }  # fmt: skip
    page = client.post(url("review_task", project, task.pk), body)
    assert page.headers["Location"] == url("review", project)  # nothing else waits
    word = Adjudication.objects.get()
    assert word.payload["marks"] == [0, -1, None]
    assert (word.payload["verdict"], word.payload["first_error"]) == ("wrong", 1)
    assert word.payload["spans"] == {"1": [[0, 1]]}
    assert (word.based_on, word.note) == (first, "Off by one.")


def test_what_does_not_fit_is_said_and_stays_on_the_page(client, lead, project, disputed):
    body = {"action": "adjudicate", "word": "edit", "revision": "0", "mark-0": "1", "comment-0": "Typed text"}
    page = client.post(url("review_task", project, disputed[0].pk), body)
    assert page.status_code == 422
    assert "Step 2 is not rated yet." in text_of(page)
    assert "Typed text" in text_of(page)
    assert page.context["chosen"] == "edit"
    nothing = client.post(url("review_task", project, disputed[0].pk), {"action": "adjudicate"})
    assert "Choose the final word first" in text_of(nothing)
    assert not Adjudication.objects.exists()


def test_a_stale_page_is_told(client, lead, project, disputed):
    task, first, second = disputed
    services.adjudicate(by=lead, task=task, payload=second.payload)
    body = {"action": "adjudicate", "word": f"vote:{first.pk}", "revision": "0"}
    assert "Somebody else adjudicated" in text_of(client.post(url("review_task", project, task.pk), body))


def test_accept_reject_and_send_back(client, lead, project, disputed, calm):
    task, first, second = disputed
    address = url("review_task", project, task.pk)
    assert client.post(address, {"action": f"send_back:{first.pk}", "note": ""}).status_code == 422
    client.post(address, {"action": f"send_back:{first.pk}", "note": "Look at step 1."})
    client.post(address, {"action": f"reject:{second.pk}"})
    one = client.post(url("review_task", project, calm[0].pk), {"action": f"accept:{calm[1].pk}"})
    assert one.headers["Location"] == url("review", project)
    states = dict(Annotation.objects.values_list("user__username", "state"))
    assert states == {"ann": "sent_back", "bob": "rejected", "cyd": "accepted"}
    listed = client.get(url("review", project), {"state": "sent_back"})
    assert [row.task.pk for row in listed.context["rows"]] == [task.pk]


def test_sending_back_to_all_and_showing_a_task_again_that_still_waits(client, lead, project, disputed, calm):
    task, first, _ = disputed
    address = url("review_task", project, task.pk)
    assert client.post(address, {"action": f"accept:{first.pk}"}).headers["Location"] == address
    client.post(address, {"action": "send_back:all", "note": "Read the guidelines on units."})
    assert set(task.annotations.values_list("state", flat=True)) == {"sent_back"}
    assert client.post(address, {"action": "accept:999"}).status_code == 422
    assert client.post(address, {"action": f"explode:{first.pk}"}).status_code == 422


def test_bad_problem_as_the_final_word(client, lead, project, disputed):
    body = {"action": "adjudicate", "word": "bad_problem", "revision": "0", "note": "Two answers fit."}
    client.post(url("review_task", project, disputed[0].pk), body)
    word = Adjudication.objects.get()
    assert (word.outcome, word.payload["reason"]) == ("bad_problem", "Two answers fit.")
    assert client.get(url("review_task", project, disputed[0].pk)).context["chosen"] == "bad_problem"


def test_preferences(client, lead, project, iteration, vote):
    task = make.preference_task_make(iteration, overlap=2)
    vote({"winner": 0, "rationale": "Shorter."}, name="ann")
    vote({"winner": 1}, name="bob")
    page = text_of(client.get(url("review_task", project, task.pk)))
    assert "response 1 is better" in page
    assert "Shorter." in page
    body = {"action": "adjudicate", "word": "better:1", "strength": "3", "revision": "0", "note": "Right."}
    client.post(url("review_task", project, task.pk), body)
    word = Adjudication.objects.get().payload
    assert (word["winner"], word["strength"], word["rationale"]) == (1, 3, "Right.")
    assert client.get(url("review_task", project, task.pk)).context["chosen"] == "better:1"


def review_task_make(iteration, count=1):
    prompt = make.prompt_make(iteration.project)
    response = make.response_make(prompt, iteration=iteration)
    critiques = [make.model_critique_make(response).pk for _ in range(count)]
    items = [(prompt.pk, (response.pk, critiques), 0.0)]
    services.tasks_create(iteration=iteration, kind="critique_review", items=items, overlap=2)
    return AnnotationTask.objects.get(critique_ids=critiques)


def test_reviews_of_a_critique(client, lead, project, iteration, vote):
    task = review_task_make(iteration)
    edited = RIGHT | {"comments": {}, "corrections": {}}
    vote({"decision": "accept"}, name="ann")
    vote({"decision": "edit", "edited": edited}, name="bob")
    page = client.get(url("review_task", project, task.pk))
    assert [s.by for s in page.context["shown"].steps[0].said] == ["B", "critique 1"]
    body = {"action": "adjudicate", "word": "accept", "revision": "0"}
    client.post(url("review_task", project, task.pk), body)
    assert Adjudication.objects.get().payload["decision"] == "accept"


def test_two_critiques_compared(client, lead, project, iteration, vote):
    task = review_task_make(iteration, 2)
    vote({"decision": "prefer", "winner": 0}, name="ann")
    vote({"decision": "prefer", "winner": 1}, name="bob")
    assert "critique 2 is better" in text_of(client.get(url("review_task", project, task.pk)))
    client.post(
        url("review_task", project, task.pk), {"action": "adjudicate", "word": "tie", "revision": "0"}
    )
    assert Adjudication.objects.get().payload["winner"] is None


def test_after_the_iteration_went_on_the_page_only_shows(client, lead, project, iteration, disputed):
    iteration.stage = "done"
    iteration.save()
    assert client.get(url("review", project)).context["rows"] == []  # nothing a lead could still do
    page = text_of(client.get(url("review_task", project, disputed[0].pk)))
    assert "This iteration has gone on" in page
    assert 'id="adjudicate"' not in page
    body = {"action": "adjudicate", "word": f"vote:{disputed[1].pk}"}
    assert "its data is made of these answers" in text_of(
        client.post(url("review_task", project, disputed[0].pk), body)
    )


def test_what_models_and_people_wrote_is_never_markup(client, lead, project, iteration, vote, answer):
    prompt = make.prompt_make(project, "<script>alert(1)</script> **bold** $x$")
    make.response_make(prompt)
    task = make.task_make(iteration, "<img src=x onerror=alert(1)>", "`<b>`")
    evil = {"marks": [1, -1], "first_error": 1, "verdict": "wrong", "comments": {"1": "</textarea><script>"}}
    vote(evil)
    page = client.get(url("review_task", project, task.pk)).content.decode()
    assert "<img src=x" not in page
    assert "</textarea><script>" not in page


# ---- who may --------------------------------------------------------------------------------------------


def pages(project, task, answer):
    return {
        "review": url("review", project),
        "review_task": url("review_task", project, task.pk),
        "inbox": url("inbox", project),
        "queues": url("queues", project),
        "queue": url("queue", project, "step_critique"),
        "products": url("products_download", project),
        "gold": url("gold_make", project, task.pk),
        "task": url("task", project, task.pk),
        "answers": url("answers", project),
        "history": url("answer_history", project, answer.pk),
    }


@pytest.mark.parametrize(
    ("role", "open_to"),
    [
        (
            Role.ADMIN,
            {"review", "review_task", "inbox", "queues", "queue", "products", "task", "answers", "history"},
        ),
        (
            Role.LEAD,
            {"review", "review_task", "inbox", "queues", "queue", "products", "task", "answers", "history"},
        ),
        (Role.ANNOTATOR, {"answers"}),
        (Role.VIEWER, set()),
        (None, set()),
    ],
)
def test_who_may_open_what(client, project, calm, role, open_to):
    task, answer = calm
    enter(client, make.member_make(project, role=role) if role else make.user_make())
    for name, address in pages(project, task, answer).items():
        status = client.get(address).status_code
        posted = client.post(address, {}).status_code
        if name in open_to:
            assert status == 200, name
        elif name == "gold" and role in (Role.ADMIN, Role.LEAD):
            assert (status, posted) == (405, 302)
        else:
            hidden = {404} if role is None else {403, 404}
            assert status in hidden | {405}, name
            assert posted in hidden | {405}, name
            assert not (status == posted == 405), name


def test_signed_out_people_are_asked_to_sign_in(client, project, calm):
    for address in pages(project, *calm).values():
        assert client.get(address).status_code in (302, 405)


def test_tasks_of_another_project_are_not_found(client, lead, project, iteration):
    other = make.task_make(make.iteration_make(make.project_make()))
    for name in ("review_task", "task"):
        assert client.get(url(name, project, other.pk)).status_code == 404
    assert client.post(url("gold_make", project, other.pk)).status_code == 404
    assert client.post(url("review_task", project, other.pk), {"action": "adjudicate"}).status_code == 404


def test_an_annotator_sees_the_task_they_answered_as_their_answer(client, project, calm):
    task, answer = calm
    enter(client, answer.user)
    assert client.get(url("task", project, task.pk)).headers["Location"] == url(
        "answer_history", project, answer.pk
    )
    assert client.get(url("answer_history", project, answer.pk)).status_code == 200


def test_the_badge_counts_open_flags_for_leads_alone(client, lead, project, calm):
    task, answer = calm
    Flag.objects.create(project=project, task=task, author=answer.user, reason="flag", note="?")
    page = text_of(client.get(url("queues", project)))
    assert 'badge warn num">1' in page
    enter(client, answer.user)
    assert "badge warn num" not in text_of(client.get(url("answers", project)))


def test_the_submit_key_is_not_shown(client, lead, project, disputed):
    assert str(uuid.UUID(str(disputed[1].submit_key))) not in text_of(
        client.get(url("review_task", project, disputed[0].pk))
    )

"""An own earlier answer, opened again: the item as it was shown, the answer, the notes; nobody else's."""

import uuid

import pytest

from webapp.annotate import earlier, forms, services
from webapp.annotate.models import Annotation, ReviewNote


@pytest.fixture
def given(project, iteration, person, make, submit):
    make.guidelines_make(project)
    task = make.task_make(iteration, show_reference=True)
    make.model_critique_make(task.response)
    return submit(services.assignment_claim(user=person, project=project))


def test_the_item_is_what_was_shown_with_the_answer_and_the_notes(given, project, person, make):
    lead = make.member_make(project, role="lead", username="ada")
    ReviewNote.objects.create(annotation=given, author=lead, action="sent_back", text="Look again.")
    ReviewNote.objects.create(annotation=given, author=lead, action="accepted")
    item = earlier.item_of_answer(earlier.answer_for(person, project, given.pk))
    assert item["reference"] == "4"
    assert item["model_critique"]["verdict"] == "wrong"
    assert item["guidelines"]["number"] == 1
    returned = item["returned"]
    assert (returned["annotation"], returned["revision"]) == (given.pk, 1)
    assert returned["payload"] == given.payload
    notes = [(note["author"], note["text"]) for note in returned["notes"]]
    assert notes == [("ada", "Look again."), ("ada", "Accepted")]
    assert forms.draft_shown(item) == given.payload


def test_an_answer_without_a_claim_is_shown_as_well(given, project, person):
    """Answers that came by import never had one."""
    Annotation.objects.filter(pk=given.pk).update(assignment=None)
    item = earlier.item_of_answer(earlier.answer_for(person, project, given.pk))
    assert item["reference"] == "4"
    assert item["draft"] is None


def test_of_an_answer_set_aside_the_work_so_far_is_shown(project, iteration, person, make, submit):
    make.task_make(iteration)
    partial = {"marks": [1, None, None]}
    claim = services.assignment_claim(user=person, project=project)
    given = submit(claim, outcome="unsure", payload={"reason": "two readings", "partial": partial})
    item = earlier.item_of_answer(earlier.answer_for(person, project, given.pk))
    assert forms.draft_shown(item) == partial


def test_nobody_elses_and_no_other_projects(given, project, person, make):
    for who, where in ((make.member_make(project), project), (person, make.project_make())):
        with pytest.raises(Annotation.DoesNotExist):
            earlier.answer_for(who, where, given.pk)


def test_queries(given, project, person, django_assert_num_queries):
    with django_assert_num_queries(1):
        answer = earlier.answer_for(person, project, given.pk)
    earlier.item_of_answer(answer)  # the guidelines are remembered
    with django_assert_num_queries(2):
        earlier.item_of_answer(answer)


def test_the_page_and_a_newer_revision(given, project, person, client, answer):
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(f"/projects/{project.slug}/annotate/answers/{given.pk}/")
    assert page.status_code == 200
    assert b"Your earlier answer" in page.content
    newer = {**answer, "comments": {"0": "hm"}}
    services.annotation_revise(user=person, pk=given.pk, payload=newer, outcome="answered", revision=1)
    body = {"outcome": "answered", "payload": answer, "revision": 1}
    reply = client.put(f"/api/annotations/{given.pk}", body, content_type="application/json")
    assert reply.status_code == 409
    assert reply.json()["code"] == "revision_conflict"
    assert reply.json()["annotation"]["revision"] == 2
    assert reply.json()["annotation"]["payload"]["comments"] == {"0": "hm"}
    assert (
        client.get(f"/projects/{project.slug}/annotate/answers/{uuid.uuid4().int % 10**6}/").status_code
        == 404
    )


def test_an_imported_comparison_is_shown_with_its_responses(project, iteration, person, make):
    task = make.preference_task_make(iteration)
    imported = Annotation.objects.create(
        task=task,
        user=person,
        submit_key=uuid.uuid4(),
        payload={"winner": 1, "all_bad": False, "strength": 2},
    )
    item = earlier.item_of_answer(earlier.answer_for(person, project, imported.pk))
    assert [response["candidate"] for response in item["responses"]] == [0, 1]

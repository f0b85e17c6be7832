"""The tree of a task: prompt, response, branches at their steps; who sees it and what of it."""

import uuid

import pytest
from django.urls import reverse

from tests import factories as make
from webapp.annotate import services
from webapp.annotate.models import AnnotationTask, Regeneration
from webapp.annotate.tree import tree_of
from webapp.projects.models import Role
from webapp.registry.models import ModelVersion

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make.project_make()


@pytest.fixture
def task(project):
    task = make.task_make(make.iteration_make(project))
    AnnotationTask.objects.filter(pk=task.pk).update(overlap=2, open_slots=2)
    return task


@pytest.fixture
def version(project):
    return ModelVersion.objects.create(
        project=project, number=1, name=f"{project.slug}-1", base="seed", dialect="terse"
    )


def answered(project, task, branches=(), **user):
    person = make.member_make(project, **user)
    claim = services.assignment_claim(user=person, project=project)
    if branches:
        claim.shown["alternatives"] = True
        claim.save()
    services.annotation_submit(
        user=person,
        assignment_token=claim.token,
        submit_key=uuid.uuid4(),
        payload={"marks": [1, -1, None], "first_error": 1, "verdict": "wrong", "branches": list(branches)},
    )
    return person


def alternative(task, version, author, *steps, verdict="unknown"):
    row = Regeneration.objects.create(
        project=task.project,
        task=task,
        author=author,
        response=task.response,
        step=1,
        state="done",
        model_version=version,
    )
    return make.response_make(
        task.prompt,
        "2 + 2 = 4",
        *steps,
        origin="continuation",
        parent=task.response,
        regeneration=row,
        model_version=version,
        verdict=verdict,
    )


def page(client, user, task):
    client.force_login(user)
    return client.get(reverse("tree", args=[task.project.slug, task.pk]))


def test_a_lead_sees_branches_at_their_steps_with_marks_version_and_verdict(client, project, task, version):
    asker = make.member_make(project, username="asker")
    good = alternative(task, version, asker, "4 + 1 = 5", "Answer: 5", verdict="right")
    said = [{"step": 1, "response": str(good.pk), "mark": 1, "chosen": True}]
    answered(project, task, said, username="rater")
    lead = make.member_make(project, Role.LEAD)
    reply = page(client, lead, task)
    tree = reply.context["tree"]
    (response,) = tree.responses
    assert [len(step.branches) for step in response.steps] == [0, 1, 0]
    assert [step.first_error for step in response.steps] == [False, True, False]
    (branch,) = response.steps[1].branches
    assert (branch.at, [s.text for s in branch.steps]) == (1, ["4 + 1 = 5", "Answer: 5"])
    assert (branch.asked_by, branch.verdict, branch.chosen) == ("asker", "right", True)
    assert [(s.by, s.mark, s.chosen) for s in branch.said] == [("rater", 1, True)]
    text = reply.content.decode()
    assert version.name in text
    assert "checker: right" in text


def test_an_annotator_sees_it_after_answering_without_other_peoples_names(client, project, task, version):
    asker = make.member_make(project, username="asker")
    alternative(task, version, asker, "4 + 1 = 5", verdict="right")
    waiting = make.member_make(project)
    assert page(client, waiting, task).status_code == 404
    person = answered(project, task)
    reply = page(client, person, task)
    assert reply.status_code == 200
    text = reply.content.decode()
    assert "asked for by another annotator" in text
    assert "asker" not in text
    assert version.name not in text
    assert "checker:" not in text  # neither critique nor reference had been shown
    assert [s.by for s in reply.context["tree"].responses[0].steps[0].said] == ["you"]
    assert page(client, make.user_make(), task).status_code == 404


def test_what_the_worker_continued_branches_where_it_differs(client, project, task, version):
    child = make.response_make(
        task.prompt, "2 + 2 = 4", "4 + 1 = 6", "Answer: 5", origin="continuation", parent=task.response
    )
    reply = page(client, make.member_make(project, Role.LEAD), task)
    (response,) = reply.context["tree"].responses
    assert [b.response for b in response.steps[2].branches] == [child]


def test_a_task_without_branches_says_how_to_get_some(client, project, task):
    assert "press r on one" in page(client, make.member_make(project, Role.LEAD), task).content.decode()


def test_a_preference_has_all_its_candidates(client, project):
    task = make.preference_task_make(make.iteration_make(project))
    tree = page(client, make.member_make(project, Role.LEAD), task).context["tree"]
    assert [b.response.pk for b in tree.responses] == task.response_ids


def test_model_text_is_escaped(client, project, task, version):
    alternative(task, version, make.member_make(project), "<script>alert(1)</script>")
    text = page(client, make.member_make(project, Role.LEAD), task).content.decode()
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_many_branches_cost_no_more_queries(project, task, version, django_assert_num_queries):
    lead, asker = make.member_make(project, Role.LEAD), make.member_make(project)
    for n in range(12):
        alternative(task, version, asker, f"4 + 1 = {n}")
    answered(project, task)
    answered(project, task)
    with django_assert_num_queries(6):  # own answer, task, answers, response, branches, none of theirs
        assert tree_of(lead, project, task.pk, lead=True).count == 12

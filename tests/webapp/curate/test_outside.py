"""What people accepted on tasks of no iteration becomes examples of the next one that replays all, once."""

import uuid

import pytest

from tests import factories as make
from tests.webapp.iterations import support
from tests.webapp.schedules.support import tasks_make
from webapp.annotate.models import Annotation, Queue
from webapp.annotate.services import annotation_submit, assignment_claim
from webapp.curate.models import Example
from webapp.curate.selectors import outside_parts, outside_tasks

pytestmark = pytest.mark.django_db

RIGHT = {"marks": [1, 1, 1], "first_error": None, "verdict": "right"}
WRONG = {"marks": [1, -1, None], "first_error": 1, "verdict": "wrong"}


@pytest.fixture
def project():
    return support.project_with_prompts()


def answered(project, n, said=RIGHT):
    """Tasks of no iteration, answered as people do it."""
    Queue.objects.get_or_create(project=project, kind="step_critique")
    asked = project.annotation_tasks.filter(iteration=None).values("prompt")
    free = project.prompts.filter(split="train").exclude(pk__in=asked).order_by("id")
    tasks = tasks_make(project, n, list(free[:n]))
    for _ in tasks:
        person = make.member_make(project)
        claim = assignment_claim(user=person, project=project)
        annotation_submit(
            user=person,
            assignment_token=claim.token,
            submit_key=uuid.uuid4(),
            payload={**said, "corrections": {}},
        )
    return tasks


def run(project, *changes):
    recipe = support.small("rest-em", "annotate.take=0", "curate.rows=[sample]", *changes)
    iteration = support.start(project, recipe)
    return support.work_until(iteration, "done")


def test_they_train_the_next_iteration_and_no_later_one_derives_them_again(project):
    tasks = answered(project, 3)
    answered(project, 1, WRONG)
    first = run(project, "curate.replay=all")
    taken = Example.objects.filter(iteration=first, accepted_by="people")
    assert {e.response_id for e in taken} == {t.response_id for t in tasks}
    assert {a.task_id for e in taken for a in e.annotations.all()} == {t.pk for t in tasks}
    assert set(taken.values_list("pk", flat=True)) <= set(first.dataset_version.example_ids)
    assert Annotation.objects.filter(state="accepted").count() == 3
    assert first.counts["outside"] == 4
    second = run(project, "curate.replay=all")
    assert not Example.objects.filter(iteration=second, accepted_by="people").exists()
    assert set(taken.values_list("pk", flat=True)) <= set(second.dataset_version.example_ids), "replayed"


def test_a_recipe_that_replays_nothing_leaves_them_for_later(project):
    answered(project, 2)
    first = run(project)
    assert not Example.objects.filter(iteration=first, accepted_by="people").exists()
    assert run(project, "curate.replay=all").counts["outside"] == 2


def test_neither_gold_nor_held_out_nor_rejected_answers_are_taken(project):
    answered(project, 1)
    Annotation.objects.update(state="rejected")
    heldout = answered(project, 1)[0]
    heldout_prompt = project.prompts.filter(split="heldout").first()
    type(heldout).objects.filter(pk=heldout.pk).update(prompt=heldout_prompt)
    gold = answered(project, 1)[0]
    type(gold).objects.filter(pk=gold.pk).update(purpose="gold")
    assert not outside_tasks(project, 0).exists()


def test_parts_cost_the_same_however_many(project, django_assert_num_queries):
    answered(project, 4)
    with django_assert_num_queries(5):  # tasks, responses, scores, critiques, preferences
        (part,) = outside_parts(outside_tasks(project, 0))
    assert len(part) == 4
    assert all(material.judgements for material in part)

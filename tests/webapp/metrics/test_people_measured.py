"""What people did in an iteration, by hand."""

import uuid

import pytest

from loop.stages import Stage
from tests import factories as make
from tests.webapp.metrics.measuring import measured
from webapp.annotate.models import Annotation, AnnotationTask
from webapp.traces.models import Critique

pytestmark = pytest.mark.django_db


@pytest.fixture
def iteration():
    return make.iteration_make(make.project_make(), seed=1)


def answer(task, *, user=None, verdict="wrong", first=1, seconds=30.0, outcome="answered", **more):
    payload = {"verdict": verdict, "first_error": first, "marks": [1, -1, None]}
    given = Annotation.objects.create(
        task=task,
        user=user or make.user_make(),
        submit_key=uuid.uuid4(),
        outcome=outcome,
        seconds=seconds,
        **{"payload": payload, **more},
    )
    AnnotationTask.objects.filter(pk=task.pk).update(answers=task.annotations.count())
    return given


def people(iteration, stage=Stage.ANNOTATE):
    return measured(iteration, stage, "People")


def test_people_against_the_checker_simulated_ones_too(iteration):
    for checker, verdict in (
        ("right", "right"),
        ("wrong", "right"),
        ("wrong", "unknown"),
        ("unknown", "right"),
    ):
        response = make.response_make(
            make.prompt_make(iteration.project), iteration=iteration, verdict=checker
        )
        Critique.objects.create(response=response, author_kind="person", verdict=verdict)
    found = people(iteration)["people_agree_with_checker"]
    assert (found.value, found.n, found.detail) == (0.5, 2, {"unscored": 1})


def test_time_is_that_of_people_alone(iteration):
    for seconds in (20, 40, 100, 6000):  # the last is counted as ten minutes: they were away
        answer(make.task_make(iteration), seconds=seconds)
    answer(make.task_make(iteration), seconds=1, user=make.user_make(is_simulated=True))
    answer(make.task_make(iteration), seconds=None)
    answer(make.task_make(iteration), seconds=140, outcome="give_up")
    found = people(iteration)
    hours = (20 + 40 + 100 + 600 + 140) / 3600
    assert (found["seconds_per_answer"].value, found["seconds_per_answer"].n) == (100, 5)
    assert found["people_hours"].value == pytest.approx(hours)
    assert found["labels_per_hour"].value == pytest.approx(4 / hours)
    assert (found["answers"].value, found["answers"].detail) == (7, {"simulated": 1})


def test_accepting_and_overriding_the_models_critique(iteration):
    def asked(**critique):
        task = make.task_make(iteration)
        return task, make.model_critique_make(task.response, **critique) if critique else None

    for model, said in (
        ({"verdict": "wrong", "first_error": 1}, {"verdict": "wrong", "first": 1}),  # accepted
        (
            {"verdict": "wrong", "first_error": 0},
            {"verdict": "wrong", "first": 1},
        ),  # another step: not accepted
        ({"verdict": "right", "first_error": None}, {"verdict": "wrong", "first": 1}),  # overridden
        ({"verdict": "right", "first_error": None}, {"verdict": "unknown", "first": None}),  # not sure
    ):
        task, critique = asked(**model)
        answer(task, shown={"model_critique": str(critique.pk)}, **said)
    answer(asked()[0])  # the model had none
    review = make.review_task_make(iteration)
    answer(review, payload={"decision": "reject", "reason": ""})
    found = people(iteration)
    assert (found["accept_rate"].value, found["accept_rate"].n) == (0.25, 4)
    assert (found["override_rate"].value, found["override_rate"].n) == (pytest.approx(1 / 3), 3)
    assert found["accept_rate"].detail == {"shown": 4}


def test_a_critique_that_was_withheld_counts_if_it_existed_before_the_answer(iteration):
    task = make.task_make(iteration)
    make.model_critique_make(task.response, verdict="right", first_error=None)
    answer(task, shown={"model_critique": None, "withheld": True})
    make.model_critique_make(task.response, verdict="wrong", first_error=1)  # written later
    found = people(iteration)
    assert (found["override_rate"].value, found["accept_rate"].detail) == (1, {"shown": 0})


def test_alpha_of_what_several_answered(iteration):
    assert "people_alpha" not in people(iteration)
    for pair in ((0, 0), (2, 2), (1, 1), (0, 2)):
        task = make.task_make(iteration)
        for first in pair:
            answer(task, first=first)
    found = people(iteration)["people_alpha"]
    assert (found.n, found.detail) == (4, {"kind": "step_critique", "of": "first_error"})
    assert 0 < found.value < 1


def test_the_gain_of_an_hour(iteration):
    iteration.decision = {"effect": 0.04, "ci95": [0.01, 0.07], "n": 200}
    assert people(iteration, Stage.PROMOTE) == {}  # nobody worked
    for _ in range(12):
        answer(make.task_make(iteration), seconds=600)
    found = people(iteration, Stage.PROMOTE)["gain_per_hour"]
    assert (found.value, found.ci95, found.n) == (pytest.approx(2), pytest.approx((0.5, 3.5)), 200)
    iteration.decision = {}
    assert people(iteration, Stage.PROMOTE) == {}


def test_nothing_without_answers(iteration):
    assert people(iteration) == {}

"""The model's critic from rows, by hand."""

import pytest

from loop.domains.arithmetic.check import solve_from
from loop.domains.arithmetic.generate import project_prompts
from loop.records import Verdict
from loop.stages import Stage
from tests import factories as make
from tests.webapp.metrics.measuring import measured
from webapp.projects.services import prompts_add
from webapp.traces.models import Critique

pytestmark = pytest.mark.django_db


@pytest.fixture
def iteration():
    return make.iteration_make(make.project_make(), seed=1)


def said(iteration, checker, verdict, first=None, parsed=True, person=None):
    response = make.response_make(make.prompt_make(iteration.project), iteration=iteration, verdict=checker)
    Critique.objects.create(
        response=response, author_kind="model", verdict=verdict, first_error=first, parsed=parsed
    )
    if person is not None:
        Critique.objects.create(
            response=response, author_kind="person", verdict=person[0], first_error=person[1]
        )
    return response


def test_against_the_checker(iteration):
    said(iteration, "right", "right")
    said(iteration, "right", "wrong", 1)
    said(iteration, "wrong", "wrong", 0)
    said(iteration, "wrong", "right")
    said(iteration, "wrong", "wrong", 1)
    said(iteration, "wrong", "unknown", parsed=False)
    said(iteration, "unknown", "right")
    found = measured(iteration, Stage.GENERATE, "Critic")
    agrees = found["critic_agrees_with_checker"]
    assert (agrees.value, agrees.n, agrees.detail) == (0.6, 5, {"unscored": 1})
    assert agrees.ci95 is None  # five prompts do not show how much prompts differ
    assert (found["critic_tpr"].value, found["critic_tnr"].value) == (0.5, pytest.approx(2 / 3))
    assert found["critic_balanced_accuracy"].value == pytest.approx((0.5 + 2 / 3) / 2)
    assert (found["critic_false_alarm"].value, found["critic_unparsed"].value) == (0.5, pytest.approx(1 / 7))
    assert "critic_first_error" not in found  # no program knows the steps of these prompts


def test_an_unread_critique_neither_agrees_nor_disagrees(iteration):
    said(iteration, "right", "right")
    said(iteration, "wrong", "right")
    said(iteration, "wrong", "unknown", parsed=False)
    found = measured(iteration, Stage.GENERATE, "Critic")["critic_agrees_with_checker"]
    assert (found.value, found.n, found.detail) == (0.5, 2, {"unscored": 1})


def test_one_class_alone_has_no_balanced_accuracy_and_no_critique_no_row(iteration):
    assert measured(iteration, Stage.GENERATE, "Critic") == {}
    said(iteration, "right", "right")
    found = measured(iteration, Stage.GENERATE, "Critic")
    assert found["critic_tpr"].value == 1
    assert found["critic_tnr"].value is None
    assert found["critic_balanced_accuracy"].value is None


def test_first_errors_by_the_program_that_knows_the_steps(iteration):
    records = project_prompts(train=3, heldout=0, probe=0, seed=5)
    prompts_add(project=iteration.project, records=records)
    for record, first in zip(records, (0, None, 1), strict=True):
        prompt = iteration.project.prompts.get(content_sha__isnull=False, text=record.text)
        wrong = ["1 + 1 = 3", *solve_from(record)]
        response = make.response_make(prompt, *wrong, iteration=iteration, verdict="right")
        Critique.objects.create(
            response=response,
            author_kind="model",
            verdict="right" if first is None else "wrong",
            first_error=first,
        )
    found = measured(iteration, Stage.GENERATE, "Critic")
    assert found["critic_first_error"].value == pytest.approx(1 / 3)
    assert found["critic_first_error_near"].value == pytest.approx(2 / 3)
    assert found["critic_first_error"].detail == {"by": ["arithmetic"]}


def test_against_people_by_their_agreed_word(iteration):
    said(iteration, "unknown", "wrong", 1, person=("wrong", 1))
    said(iteration, "unknown", "wrong", 1, person=("wrong", 2))
    said(iteration, "unknown", "right", person=("wrong", 0))
    said(iteration, "unknown", "right", person=("unknown", None))
    torn = said(iteration, "unknown", "right", person=("right", None))
    Critique.objects.create(response=torn, author_kind="person", verdict="wrong", first_error=1)
    found = measured(iteration, Stage.ANNOTATE, "Critic")
    assert (found["critic_agrees_with_people"].value, found["critic_agrees_with_people"].n) == (
        pytest.approx(2 / 3),
        3,
    )
    assert found["critic_first_error_people"].value == pytest.approx(1 / 3)
    assert Verdict.UNKNOWN.value == "unknown"

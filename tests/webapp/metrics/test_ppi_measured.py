"""Prediction-powered estimates of an iteration: which rows go in, and that they cover."""

import numpy as np
import pytest

from loop.stages import Stage
from tests import factories as make
from tests.webapp.metrics.measuring import measured
from webapp.annotate.services import tasks_create
from webapp.traces.models import Critique, Response

pytestmark = pytest.mark.django_db
RANDOM = {"annotate": {"order": "random"}}


def project_of(prompts, labelled, *, bias, seed, recipe=RANDOM):
    """Two samples of each prompt. The checker calls this share of what is wrong right; people never err."""
    rng = np.random.default_rng(seed)
    iteration = make.iteration_make(make.project_make(), recipe=recipe, seed=1)
    truth, asked = {}, []
    for n in range(prompts):
        prompt = make.prompt_make(iteration.project)
        for sample in range(2):
            right = rng.random() < 0.6
            says = right or rng.random() < bias
            response = make.response_make(
                prompt, iteration=iteration, verdict="right" if says else "wrong", answer="4"
            )
            truth[response.pk] = right
            if n < labelled and sample == 0:
                asked.append((prompt.pk, response.pk, 0.0))
    tasks_create(iteration=iteration, kind="step_critique", items=asked)
    for _, pk, _ in asked:
        Critique.objects.create(
            response_id=pk, author_kind="person", verdict="right" if truth[pk] else "wrong"
        )
    return iteration, float(np.mean(list(truth.values())))


def ppi(iteration):
    return measured(iteration, Stage.ANNOTATE, "Prediction-powered")


def test_a_lenient_checker_is_put_right_by_few_labels():
    iteration, truth = project_of(150, 60, bias=0.5, seed=3)
    found = ppi(iteration)["ppi_right"]
    detail = found.detail
    assert detail["naive"] > truth + 0.1  # what one would believe without people
    assert found.ci95[0] <= truth <= found.ci95[1]
    assert found.ci95[1] < detail["naive"]
    assert found.ci95[1] - found.ci95[0] < detail["people_ci"][1] - detail["people_ci"][0]
    assert (detail["people_n"], detail["naive_n"], detail["judge"]) == (60, 300, "checker")
    assert 0 < detail["lambda"] <= 1


def test_only_what_was_drawn_by_chance_stands_for_the_rest():
    iteration, _ = project_of(6, 4, bias=0, seed=0, recipe={"annotate": {"order": "convincing_wrong"}})
    assert ppi(iteration) == {}
    task = iteration.tasks.first()
    task.meta = {"control": True}
    task.save()
    found = ppi(iteration)["ppi_right"]
    assert (found.value, found.n) == (None, 1)
    assert "fewer than two" in found.detail["reason"]


def test_two_critiques_are_shown_where_they_contradict_each_other_most_which_stands_for_nothing():
    two = {"annotate": {"kind": "critique_review", "critiques": 2, "order": "random"}}
    assert ppi(project_of(6, 4, bias=0, seed=0, recipe=two)[0]) == {}
    one = {"annotate": two["annotate"] | {"critiques": 1}}
    assert ppi(project_of(6, 4, bias=0, seed=0, recipe=one)[0])["ppi_right"].n == 4


def test_how_often_the_critics_verdict_is_right():
    iteration, _ = project_of(40, 20, bias=0, seed=1)
    for n, response in enumerate(Response.objects.filter(iteration=iteration).order_by("prompt_id", "id")):
        right = response.verdict == "right"
        verdict = "right" if right == (n % 4 != 0) else "wrong"  # wrong every fourth time
        Critique.objects.create(response=response, author_kind="model", verdict=verdict)
    found = ppi(iteration)["ppi_critic_right"]
    assert found.detail["naive"] == 0.75
    assert found.value == pytest.approx(0.75, abs=0.15)
    assert found.detail["lambda"] > 0.3  # the checker is exact, so it counts

    Response.objects.filter(iteration=iteration).update(verdict="unknown")
    found = ppi(iteration)
    assert set(found) == {"ppi_right"}  # nothing but the critic is left to judge samples
    assert found["ppi_right"].detail["judge"] == "critic"


def test_nothing_without_people_or_without_a_machine():
    iteration, _ = project_of(2, 0, bias=0, seed=0)
    assert ppi(iteration) == {}
    iteration, _ = project_of(3, 3, bias=0, seed=0)
    Response.objects.filter(iteration=iteration).update(verdict="unknown")
    assert ppi(iteration) == {}

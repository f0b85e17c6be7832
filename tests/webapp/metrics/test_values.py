"""Metric values: what a stage leaves behind, by hand."""

import pytest

from loop.stages import Stage
from tests import factories as make
from webapp.metrics.models import MetricValue
from webapp.metrics.services import metrics_write
from webapp.traces.models import Critique, Response

pytestmark = pytest.mark.django_db


@pytest.fixture
def iteration():
    return make.iteration_make(make.project_make())


def value(iteration, name):
    return MetricValue.objects.get(iteration=iteration, name=name)


def responses(iteration, verdicts):
    """One prompt with a response per verdict."""
    prompt = make.prompt_make(iteration.project)
    return [make.response_make(prompt, iteration=iteration, verdict=v) for v in verdicts]


def test_share_right_counts_decided_samples_only(iteration):
    responses(iteration, ["right", "right", "wrong", "unknown", "error"])
    metrics_write(iteration=iteration, left=Stage.GENERATE)
    found = value(iteration, "samples_right")
    assert (found.value, found.n) == (pytest.approx(2 / 3), 3)
    assert found.low < 2 / 3 < found.high


def test_pass_at_k_is_the_unbiased_mean_over_prompts(iteration):
    responses(iteration, ["right", "wrong"])  # k = 2 samples: at least one right
    responses(iteration, ["wrong", "wrong"])
    metrics_write(iteration=iteration, left=Stage.GENERATE)
    found = value(iteration, "pass_at_k")
    assert (found.value, found.n, found.detail) == (0.5, 2, {"k": 2})


def test_an_unread_critique_neither_agrees_nor_disagrees(iteration):
    right, wrong, other = responses(iteration, ["right", "wrong", "wrong"])
    for response, verdict, parsed in (
        (right, "right", True),
        (wrong, "right", True),
        (other, "unknown", False),
    ):
        Critique.objects.create(
            response=response, author_kind="model", marks=[], verdict=verdict, parsed=parsed
        )
    metrics_write(iteration=iteration, left=Stage.GENERATE)
    found = value(iteration, "critic_agrees_with_checker")
    assert (found.value, found.n, found.detail) == (0.5, 2, {"unscored": 1})


def test_the_gain_keeps_its_interval_and_p(iteration):
    iteration.decision = {
        "before": 0.5,
        "after": 0.6,
        "effect": 0.1,
        "ci95": [0.04, 0.16],
        "p_value": 0.002,
        "n": 500,
    }
    metrics_write(iteration=iteration, left=Stage.PROMOTE)
    found = value(iteration, "heldout_gain")
    assert (found.value, found.low, found.high, found.n) == (0.1, 0.04, 0.16, 500)


def test_a_repeat_replaces_and_a_failure_does_not_stop_the_loop(iteration):
    responses(iteration, ["right"])
    metrics_write(iteration=iteration, left=Stage.GENERATE)
    Response.objects.update(verdict="wrong")
    metrics_write(iteration=iteration, left=Stage.GENERATE)
    assert value(iteration, "samples_right").value == 0
    iteration.decision = {}
    metrics_write(iteration=iteration, left=Stage.PROMOTE)  # nothing was decided: logged, not raised
    assert not MetricValue.objects.filter(name="heldout_gain").exists()

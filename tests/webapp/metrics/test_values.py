"""Reads over iterations: who is which, what is compared with what, and in what words."""

import pytest

from loop.evaluate.metric import Metric
from tests import stories
from webapp.metrics.measures import metric_named
from webapp.metrics.values import Reading, alike, before, change_of, latest, readings_of, turns_of

UP = Metric("a", "A", "share", "up", "", "")
NEITHER = Metric("a", "A", "share", "", "", "")


@pytest.mark.django_db
def test_iterations_are_told_apart_and_read_in_two_queries(django_assert_num_queries):
    past = stories.measured_past(prompts=3)
    with django_assert_num_queries(2):
        turns = turns_of(past.project)
        values = readings_of(past.project, turns, ["heldout_gain", "best_of_n:*"])
    kinds = ["promoted", "promoted", "control", "held", "promoted", "promoted"]
    assert [(t.number, t.kind) for t in turns] == list(enumerate(kinds, 1))
    assert [t.alarms for t in turns] == [0, 0, 0, 1, 0, 0]
    assert set(values) == {"heldout_gain", "best_of_n:logprob", "best_of_n:self_verdict"}
    gain = values["heldout_gain"]
    assert gain[turns[3].pk].value == pytest.approx(-0.09)
    assert before(turns, turns[3], gain, metric_named("heldout_gain")) == turns[1]  # never the control
    scored = metric_named("best_of_n:self_verdict")
    assert before(turns, turns[2], values["best_of_n:self_verdict"], scored) == turns[1]
    assert before(turns, turns[1], values["best_of_n:self_verdict"], scored) is None
    assert latest(turns, gain) == turns[5]
    assert [t.number for t in turns_of(past.project, arm="control")] == [3]
    assert [t.number for t in turns_of(past.project, arm="main", last=2)] == [5, 6]
    assert [t.number for t in turns_of(past.project, recipe="self")] == [4]


@pytest.mark.parametrize(
    ("metric", "now", "word"),
    [
        (UP, Reading(0.7, 0.66, 0.74, 9, "share"), "better"),
        (UP, Reading(0.3, 0.26, 0.34, 9, "share"), "worse"),
        (UP, Reading(0.53, 0.49, 0.57, 9, "share"), "unclear"),
        (UP, Reading(0.7, None, None, 9, "share"), "higher"),
        (UP, Reading(0.5, 0.46, 0.54, 9, "share"), "same"),
        (NEITHER, Reading(0.3, 0.26, 0.34, 9, "share"), "lower"),
    ],
)
def test_a_change_is_called_what_it_is(metric, now, word):
    change = change_of(metric, Reading(0.5, 0.46, 0.54, 9, "share"), now)
    assert change.word == word


def test_no_change_without_both_sides():
    known = Reading(0.5, 0.4, 0.6, 9, "share")
    assert change_of(UP, None, known) is None
    assert change_of(UP, known, known._replace(value=None)) is None


@pytest.mark.django_db
def test_figures_of_samples_are_compared_where_both_sampled_alike():
    past = stories.measured_past()
    numbers = (1, 2)
    for number, samples in zip(numbers, (8, 32), strict=True):
        iteration = past.project.iterations.get(number=number)
        iteration.recipe = {"method": "rest_em", "settings": {"samples": samples}}
        iteration.save()
    first, second = turns_of(past.project)[:2]
    assert not alike(metric_named("pass_at_k"), first, second)
    assert alike(metric_named("heldout_gain"), first, second)  # greedy, on the same prompts

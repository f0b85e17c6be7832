"""Judges of pairs from rows, by hand."""

import pytest

from loop.stages import Stage
from tests import factories as make
from tests.webapp.metrics.measuring import measured
from webapp.registry.services import base_register
from webapp.traces.models import Preference, Score

pytestmark = pytest.mark.django_db


@pytest.fixture
def iteration():
    project = make.project_make()
    return make.iteration_make(project, champion=base_register(project=project), seed=1)


def pair(iteration, people=None, *, lengths=(1, 2), scores=None, own=None):
    """Two responses; people prefer one by index, "equal", or nobody said."""
    prompt = make.prompt_make(iteration.project)
    versions = [iteration.champion if own == i else None for i in (0, 1)]
    both = [
        make.response_make(prompt, "x" * n, iteration=iteration, model_version=v)
        for n, v in zip(lengths, versions, strict=True)
    ]
    if people is not None:
        preferred(both, "person", None if people == "equal" else people, iteration)
    for response, value in zip(both, scores or (), strict=False):
        Score.objects.create(response=response, name="reward", value=value)
    return both


def preferred(both, who, winner, iteration):
    Preference.objects.create(
        prompt=both[0].prompt,
        iteration=iteration,
        response_ids=[r.pk for r in both],
        winner=winner,
        author_kind=who,
    )


def judge(iteration):
    return measured(iteration, Stage.ANNOTATE, "Judge")


def test_a_scorers_choice_between_what_people_compared(iteration):
    pair(iteration, 0, scores=(0.9, 0.1))
    pair(iteration, 0, scores=(0.2, 0.8))
    pair(iteration, 1, scores=(0.2, 0.8), lengths=(2, 2))
    pair(iteration, 1, scores=(0.5, 0.5))
    pair(iteration, 1)
    pair(iteration, None, scores=(0.2, 0.8))
    found = judge(iteration)
    agrees = found["judge_agrees_with_people"]
    assert (agrees.value, agrees.n) == (pytest.approx(2 / 3), 3)
    assert agrees.detail == {"judge": "reward", "judges": ["reward"]}
    bias = found["judge_length_bias"]
    assert (bias.value, bias.detail["people"], bias.detail["people_n"]) == (0.5, 0, 2)
    # The longer wins once of two by its word, and never by people's, who decided both.
    assert (found["judge_length_excess"].value, found["judge_length_excess"].n) == (0.5, 2)
    assert not {"judge_flips", "judge_first_bias"} & set(found)  # it saw them one by one


def test_the_models_own_comparisons_in_both_orders(iteration):
    first, second, third = (pair(iteration, people) for people in (0, 1, "equal"))
    for both, forwards, backwards in ((first, 0, 1), (second, 0, 0), (third, 1, None)):
        preferred(both, "model", forwards, iteration)
        preferred(both[::-1], "model", backwards, iteration)
    found = judge(iteration)
    assert found["judge_flips"].value == pytest.approx(2 / 3)
    assert (found["judge_first_bias"].value, found["judge_first_bias"].n) == (pytest.approx(3 / 5), 5)
    # Of what people decided: the first pair agrees twice, the second once: after the swap 0 is the other one.
    assert (found["judge_agrees_with_people"].value, found["judge_agrees_with_people"].n) == (0.75, 4)
    assert found["judge_agrees_with_people"].detail["judge"] == "model"


def test_self_preference_on_pairs_that_people_find_equal(iteration):
    """Its own wins in both orders, in one of two, and, with a tie, in one and a half of two."""
    said = (
        ("equal", 0, 0, 1),
        ("equal", 1, 0, 0),
        ("equal", 0, 0, None),
        ("equal", None, 0, 1),
        (0, 0, 0, 1),
    )
    for people, own, forwards, backwards in said:
        both = pair(iteration, people, own=own)
        preferred(both, "model", forwards, iteration)
        preferred(both[::-1], "model", backwards, iteration)
    preferred(pair(iteration, "equal", own=0), "model", 0, iteration)  # in one order: the place may decide
    found = judge(iteration)["judge_self_preference"]
    assert (found.value, found.n) == (0.75, 3)


def test_a_scorer_has_no_responses_of_its_own(iteration):
    pair(iteration, "equal", scores=(0.9, 0.1), own=0)
    assert "judge_self_preference" not in judge(iteration)


def test_without_a_judge_or_people_there_is_no_row(iteration):
    assert judge(iteration) == {}
    pair(iteration, 0)
    assert judge(iteration) == {}

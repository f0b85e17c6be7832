"""A version is measured on one exact set once for ever; an error is not a score."""

import pytest

from tests import factories as make
from webapp.registry import services
from webapp.registry.models import Evaluation
from webapp.registry.selectors import evaluation_of, outcome_rows, outcomes_by_prompt

pytestmark = pytest.mark.django_db
GREEDY = {"temperature": 0.0, "max_new_tokens": 160}


@pytest.fixture
def version():
    return services.base_register(project=make.project_make())


@pytest.fixture
def prompts(version):
    return [make.prompt_make(version.project, split="heldout").pk for _ in range(4)]


def evaluation(version, ids, sampling=GREEDY):
    sha = services.prompts_sha(ids, sampling)
    return services.evaluation_for(
        version=version, split="heldout", sha=sha, sampling=sampling, size=len(ids)
    )


def test_the_same_set_and_sampling_is_the_same_evaluation(version, prompts):
    first = evaluation(version, prompts)
    assert evaluation(version, prompts) == first
    assert evaluation(version, prompts[:3]) != first
    assert evaluation(version, prompts[::-1]) != first
    assert evaluation(version, prompts, {**GREEDY, "max_new_tokens": 80}) != first
    same, other_order = dict(reversed(GREEDY.items())), GREEDY
    assert services.prompts_sha(prompts, same) == services.prompts_sha(prompts, other_order)


def test_it_closes_when_the_last_outcome_is_in_and_counts_once(version, prompts):
    made = evaluation(version, prompts)
    verdicts = dict(zip(prompts, ["right", "wrong", "error", "unknown"], strict=True))
    for part in (prompts[:3], prompts[:3], prompts[2:]):  # a repeat and an overlap
        services.outcomes_store(evaluation=made, outcomes=[(p, verdicts[p], None) for p in part])
        closed = services.evaluation_finish_if_complete(evaluation=made)
    assert closed
    made.refresh_from_db()
    assert (made.n, made.right, made.errors, made.accuracy) == (4, 1, 2, 0.5)
    assert evaluation_of(version, "heldout", made.prompts_sha) == made
    assert outcomes_by_prompt(outcome_rows(made)) == {
        str(prompts[0]): True,
        str(prompts[1]): False,
        str(prompts[2]): None,
        str(prompts[3]): None,
    }


def test_an_unfinished_one_counts_for_nothing(version, prompts):
    made = evaluation(version, prompts)
    services.outcomes_store(evaluation=made, outcomes=[(prompts[0], "right", None)])
    assert not services.evaluation_finish_if_complete(evaluation=made)
    assert evaluation_of(version, "heldout", made.prompts_sha) is None


def test_an_empty_set_is_measured_at_once(version):
    assert evaluation(version, []).done
    assert Evaluation.objects.get().accuracy is None

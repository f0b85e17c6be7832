"""What the groups of one measuring share is read once and then forgotten."""

import pytest

from tests import factories as make
from webapp.iterations.models import Iteration
from webapp.metrics.samples import sampled_of
from webapp.metrics.scope import measuring, once


def test_once_for_each_iteration_and_measuring():
    calls = []

    @once
    def made(iteration):
        calls.append(iteration.pk)
        return iteration.pk * 10

    one, two = Iteration(pk=1), Iteration(pk=2)
    with measuring():
        assert [made(one), made(Iteration(pk=1)), made(two)] == [10, 10, 20]
        assert calls == [1, 2]
    made(one)
    made(one)
    with measuring():
        made(one)
    assert calls == [1, 2, 1, 1, 1]


@pytest.mark.django_db
def test_samples_take_two_queries(django_assert_num_queries):
    iteration = make.iteration_make(make.project_make())
    make.response_make(make.prompt_make(iteration.project), iteration=iteration, logprobs=[-1.0, -2.0])
    with measuring(), django_assert_num_queries(2):
        assert sampled_of(iteration) is sampled_of(iteration)
    assert sampled_of(iteration).samples.logprob.tolist() == [-1.5]

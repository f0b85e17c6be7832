"""Which responses people are asked about: the model's sureness, reckoned in the database."""

import pytest

from loop.recipe import AnnotatePart
from tests import factories as make
from tests.webapp.iterations import support
from webapp.iterations.services.selection import ElementMean, annotation_items
from webapp.traces.models import Response

pytestmark = pytest.mark.django_db


@pytest.fixture
def iteration():
    return support.start()


def respond(iteration, logprobs, text="a", prompt=None):
    prompt = prompt or make.prompt_make(iteration.project)
    return make.response_make(prompt, text, iteration=iteration, verdict="wrong", logprobs=logprobs)


def test_the_mean_is_that_of_python_to_the_last_bit(iteration):
    logprobs = [-0.1, -1e-9, -3.3, -0.7, -12.25, -0.30000000000000004] * 50
    response = respond(iteration, logprobs)
    empty = respond(iteration, [])
    means = dict(Response.objects.annotate(mean=ElementMean("logprobs")).values_list("pk", "mean"))
    assert means == {response.pk: sum(logprobs) / len(logprobs), empty.pk: None}


def test_the_surest_wrong_response_comes_first_and_one_without_numbers_last(iteration, monkeypatch):
    monkeypatch.setattr("webapp.iterations.services.selection.UNIFORM_SHARE", 0)
    none, low, high = (respond(iteration, numbers) for numbers in ([], [-2.0, -2.0], [-3.0, -0.5]))
    items = annotation_items(iteration, AnnotatePart(kind="step_critique", take=3))
    assert [item[1] for item in items] == [str(r.pk) for r in (high, low, none)]


def test_a_pair_never_shows_the_same_text_twice(iteration):
    prompt = make.prompt_make(iteration.project)
    first = respond(iteration, [-0.1], "one", prompt)
    respond(iteration, [-0.2], "one", prompt)
    other = respond(iteration, [-0.3], "two", prompt)
    items = annotation_items(iteration, AnnotatePart(kind="preference", take=3))
    assert [item[1] for item in items] == [[str(first.pk), str(other.pk)]]

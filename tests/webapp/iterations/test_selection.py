"""Which responses people are asked about: the model's sureness, reckoned in the database."""

import pytest

from loop.recipe_parts import AnnotatePart
from tests import factories as make
from tests.webapp.iterations import support
from webapp.annotate.askable import ElementMean, askables
from webapp.annotate.models import AnnotationTask
from webapp.annotate.services import tasks_create
from webapp.iterations.services.selection import annotation_items
from webapp.traces.models import Response, Score

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
    items, _ = annotation_items(iteration, AnnotatePart(kind="step_critique", take=3))
    assert [item[1] for item in items] == [str(r.pk) for r in (high, low, none)]


def test_a_pair_never_shows_the_same_text_twice(iteration):
    prompt = make.prompt_make(iteration.project)
    first = respond(iteration, [-0.1], "one", prompt)
    respond(iteration, [-0.2], "one", prompt)
    other = respond(iteration, [-0.3], "two", prompt)
    items, _ = annotation_items(iteration, AnnotatePart(kind="preference", take=3))
    assert [item[1] for item in items] == [[str(first.pk), str(other.pk)]]


def said(response, first_error, verdict="wrong", **more):
    more = {"marks": [None], "comments": {}, "text": f"{first_error} {verdict}", **more}
    return make.model_critique_make(response, first_error=first_error, verdict=verdict, **more)


def test_a_review_is_of_the_latest_readable_critique(iteration):
    silent, judged = respond(iteration, [-0.1]), respond(iteration, [-0.2])
    said(silent, None, "unknown", parsed=False)
    said(judged, 0)
    latest = said(judged, None, "right")
    said(judged, None, "unknown", parsed=False)
    items, _ = annotation_items(iteration, AnnotatePart(kind="critique_review", take=3))
    assert items == [(judged.prompt_id, (str(judged.pk), [str(latest.pk)]), 1.0)]


def test_two_critiques_are_compared_where_the_model_contradicts_itself_most(iteration):
    alike, torn, split = (respond(iteration, [-0.1]) for _ in range(3))
    same_words = respond(iteration, [-0.1])
    a, b = (said(alike, 0, text=words) for words in ("one", "two"))  # 0 of 1 pairs differ
    c, _, d = said(torn, 0), said(torn, 0), said(torn, None, "right")  # 2 of 3
    e, f = said(split, 0), said(split, 1)  # 1 of 1
    for _ in range(2):
        said(same_words, 0)
    items, _ = annotation_items(iteration, AnnotatePart(kind="critique_review", critiques=2, take=4))
    assert [item[1] for item in items] == [
        (str(response.pk), [str(x.pk), str(y.pk)])
        for response, x, y in ((split, e, f), (torn, c, d), (alike, a, b))
    ]


def test_people_read_one_response_of_a_prompt_and_no_more_than_the_recipe_takes(iteration):
    prompt = make.prompt_make(iteration.project)
    for _ in range(3):
        response = respond(iteration, [-0.1], prompt=prompt)
        said(response, 0)
        said(response, 1)
    other = respond(iteration, [-0.1])
    said(other, 0)
    said(other, None, "right")
    part = AnnotatePart(kind="critique_review", critiques=2, take=5)
    assert sorted(item[0] for item in annotation_items(iteration, part)[0]) == [prompt.pk, other.prompt_id]
    assert len(annotation_items(iteration, part.model_copy(update={"take": 1}))[0]) == 1


def test_half_of_what_a_seeking_order_asks_is_drawn_uniformly_and_says_so(iteration):
    for _ in range(8):
        respond(iteration, [-0.1])
    items, control = annotation_items(iteration, AnnotatePart(kind="step_critique", take=6))
    assert len(items) == 6
    assert len(control) == 3
    assert control <= {item[1] for item in items}
    part = AnnotatePart(kind="step_critique", order="random", take=6)
    assert annotation_items(iteration, part)[1] == set()
    tasks_create(iteration=iteration, kind="step_critique", items=items, control=control)
    drawn = AnnotationTask.objects.filter(meta__control=True)
    assert {str(pk) for pk in drawn.values_list("response_id", flat=True)} == control


def test_what_is_known_of_a_response_is_read_in_few_queries(iteration, django_assert_num_queries):
    prompt = make.prompt_make(iteration.project)
    torn = respond(iteration, [-1.0], "torn", prompt)
    right = make.response_make(prompt, "right", iteration=iteration, verdict="right")
    lone = respond(iteration, [], "lone")
    said(torn, 0), said(torn, None, "right")
    Score.objects.create(response=lone, name="self_verdict", value=0.25, verdict="wrong")
    tasks_create(iteration=iteration, kind="step_critique", items=[(prompt.pk, right.pk, 0.0)], overlap=2)
    AnnotationTask.objects.update(answers=2, disagreement=0.5)
    with django_assert_num_queries(4):
        known = {a.response_id: a for a in askables(Response.objects.filter(iteration=iteration))}
    assert known[str(torn.pk)].judge == "right"  # its latest critique
    assert known[str(torn.pk)].variance == 0.5  # people disagreed about its prompt
    assert known[str(torn.pk)].tail == known[str(right.pk)].tail == 0.5  # one of two is right
    assert (known[str(lone.pk)].score, known[str(lone.pk)].tail) == (0.25, 1.0)
    assert (known[str(lone.pk)].variance, known[str(lone.pk)].judge) == (None, None)

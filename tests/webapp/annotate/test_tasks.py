"""Making tasks: idempotent, checked."""

import pytest

from tests import factories as make
from webapp.annotate.models import AnnotationTask
from webapp.annotate.services import tasks_create


def test_a_repeat_adds_nothing(iteration):
    prompt = make.prompt_make(iteration.project)
    a, b = (make.response_make(prompt, text, iteration=iteration) for text in ("Answer: 1", "Answer: 2"))
    steps = [(prompt.pk, a.pk, 1.0), (prompt.pk, str(b.pk), 0.5)]
    pairs = [(prompt.pk, [a.pk, b.pk], 1.0)]
    for _ in range(2):
        assert tasks_create(iteration=iteration, kind="step_critique", items=steps) == 2
        assert tasks_create(iteration=iteration, kind="preference", items=pairs, overlap=3) == 1
    assert AnnotationTask.objects.count() == 3
    assert AnnotationTask.objects.get(kind="preference").open_slots == 3


def test_a_preference_needs_two_responses(iteration):
    response = make.response_make(make.prompt_make(iteration.project))
    for subject in (response.pk, [response.pk, response.pk]):
        with pytest.raises(ValueError, match="two different responses"):
            tasks_create(iteration=iteration, kind="preference", items=[(response.prompt_id, subject, 0.0)])


def test_overlap_is_at_least_one(iteration):
    with pytest.raises(ValueError, match="at least 1"):
        tasks_create(iteration=iteration, kind="preference", items=[], overlap=0)

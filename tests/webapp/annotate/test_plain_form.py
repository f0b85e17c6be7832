"""The answer as a plain form, for a browser without scripts: what was chosen becomes a valid answer."""

import uuid

from django.http import QueryDict

from webapp.annotate.forms import AnswerForm
from webapp.annotate.payload import Beside, StepCritiqueAnswer

BESIDE = Beside(["2 + 2 = 4", "4 + 1 = 6", "Answer: 6"], error_kinds=["arithmetic"])


def answer_of(**fields):
    data = QueryDict(mutable=True)
    names = {name.replace("_", "-"): value for name, value in fields.items()}
    data.update({"token": str(uuid.uuid4()), "submit_key": str(uuid.uuid4()), **names})
    return AnswerForm.of(data).payload("step_critique", BESIDE)


def checked(payload):
    return StepCritiqueAnswer.model_validate(payload).check(BESIDE)


def test_unsure_is_no_mark_and_leaves_the_verdict_open():
    payload = answer_of(mark_0="1", mark_1="unsure", mark_2="0")
    assert (payload["marks"], payload["unsure"], payload["verdict"]) == ([1, None, 0], [1], "unknown")
    assert checked(payload) == []


def test_what_follows_the_first_error_is_dropped():
    payload = answer_of(
        mark_0="1",
        mark_1="-1",
        mark_2="unsure",
        kind_1="arithmetic",
        kind_2="arithmetic",
        correction_1="4 + 1 = 5",
    )
    assert (payload["marks"], payload["unsure"], payload["first_error"]) == ([1, -1, None], [], 1)
    assert payload["kinds"] == {"1": "arithmetic"}
    assert checked(payload) == []


def test_a_kind_on_a_step_that_is_not_wrong_is_dropped():
    payload = answer_of(mark_0="1", mark_1="1", mark_2="1", kind_0="arithmetic")
    assert payload["kinds"] == {}
    assert payload["verdict"] == "right"
    assert checked(payload) == []

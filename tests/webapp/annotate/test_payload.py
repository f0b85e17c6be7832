"""The answer's shape: after the first error the rest is unjudged, never silently wrong."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.annotate.errors import PayloadInvalid
from webapp.annotate.models import AnnotationTask, TaskKind
from webapp.annotate.payload import Beside, payload_clean

STEPS = ["2 + 2 = 4", "4 + 1 = 6", "Answer: 6"]


def check(payload, texts=STEPS, kind=TaskKind.STEP_CRITIQUE, outcome="answered"):
    return payload_clean(
        task=AnnotationTask(kind=kind), outcome=outcome, payload=payload, beside=Beside(texts)
    )


def faults(payload, **values):
    with pytest.raises(PayloadInvalid) as refused:
        check(payload, **values)
    return refused.value.problems


def test_keys_become_text_and_prose_is_trimmed():
    clean = check({"marks": [1, 0, 1], "verdict": "right", "comments": {0: "  neat "}, "confidence": 3})
    assert clean["comments"] == {"0": "neat"}


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"marks": [1, -1, None], "verdict": "wrong"}, "must be the first error"),
        ({"marks": [1, 1, None], "first_error": 1, "verdict": "wrong"}, "must be a step marked wrong"),
        ({"marks": [-1, -1, None], "first_error": 1, "verdict": "wrong"}, "before the first error"),
        ({"marks": [1, -1, 1], "first_error": 1, "verdict": "wrong"}, "must stay unjudged"),
        ({"marks": [1, -1, -1], "first_error": 1, "verdict": "wrong"}, "must stay unjudged"),
        ({"marks": [None, -1, None], "first_error": 1, "verdict": "wrong"}, "Step 1 is not rated"),
        ({"marks": [1, 1], "verdict": "right"}, "has 3 steps"),
        ({"marks": [1, 1, 2], "verdict": "right"}, "marks.2"),
        ({"marks": [1, 1, 1], "verdict": "maybe"}, "verdict"),
        ({"marks": [1, 1, 1], "verdict": "right", "comments": {"3": "?"}}, "no step 4"),
        ({"marks": [0, 1, 1], "verdict": "right", "corrections": {"0": "2 + 2 = 4"}}, "same as the step"),
        ({"marks": [1, 1, 1], "verdict": "right", "corrections": {"0": "2 + 2 = 5"}}, "nothing to correct"),
        (
            {"marks": [1, -1, None], "first_error": 1, "verdict": "wrong", "corrections": {"2": "x"}},
            "follows the first error",
        ),
        ({"marks": [1, 1, 1], "verdict": "right", "mood": "fine"}, "mood"),
    ],
)
def test_faults_are_said_in_words(payload, said):
    assert any(said in problem for problem in faults(payload))


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"winner": 2}, "no response 3"),
        ({"winner": 0, "all_bad": True}, "not both"),
        ({"winner": 0, "strength": 4}, "strength"),
    ],
)
def test_preference_faults(payload, said):
    assert any(said in p for p in faults(payload, texts=["a", "b"], kind=TaskKind.PREFERENCE))


def test_unknown_outcome():
    assert "there are: answered" in faults({}, outcome="bored")[0]


marks = st.lists(st.sampled_from([-1, 0, 1, None]), min_size=0, max_size=8)


@given(marks=marks, first=st.none() | st.integers(-1, 9))
def test_accepted_means_consistent(marks, first):
    payload = {"marks": marks, "first_error": first, "verdict": "unknown"}
    clean = None
    with contextlib.suppress(PayloadInvalid):
        clean = check(payload, texts=[f"step {i}" for i in range(len(marks))])
    if clean is None:
        return
    judged = len(marks) if first is None else first + 1
    assert None not in clean["marks"][:judged]
    assert clean["marks"].count(-1) == (0 if first is None else 1)
    assert clean["marks"][judged:] == [None] * (len(marks) - judged)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=8,
    )
)
def test_any_json_is_checked_or_refused_never_a_crash(payload):
    for kind in TaskKind:
        for outcome in ("answered", "give_up"):
            with contextlib.suppress(PayloadInvalid):
                assert isinstance(check(payload, kind=kind, outcome=outcome), dict)

"""Submitting: one transaction writes answer, history and the loop's record; a replay is a no-op."""

import uuid

import pytest

from loop.records import Author
from tests import factories as make
from webapp.annotate import selectors, services
from webapp.annotate.errors import AnnotateConflict, PayloadInvalid
from webapp.annotate.models import Annotation, AnnotationRevision, Assignment
from webapp.annotate.signals import annotation_submitted
from webapp.traces.models import Critique, Preference


@pytest.fixture
def claim(project, iteration, person):
    make.guidelines_make(project)
    make.task_make(iteration)
    return services.assignment_claim(user=person, project=project)


def test_answer_history_and_critique_are_written_together(claim, submit, person):
    made = submit(claim, seconds=12.345, step_seconds={"0": 3.0})
    critique = Critique.objects.get(annotation=made)
    record = critique.record()
    assert (record.marks, record.first_error, record.verdict) == ((1, -1, None), 1, "wrong")
    assert record.corrections == {1: "4 + 1 = 5"}
    assert (critique.author_kind, critique.author) == (Author.PERSON.value, person)
    assert AnnotationRevision.objects.get(annotation=made).payload == made.payload
    assert (made.seconds, made.step_seconds) == (12.35, {"0": 3.0})
    assert made.guideline_version == claim.guideline_version
    assert made.shown == claim.shown


def test_a_clock_that_shows_no_number_is_not_a_measurement(claim, submit):
    made = submit(claim, seconds=float("nan"), step_seconds={"0": float("nan"), "1": float("inf")})
    assert (made.seconds, made.step_seconds) == (None, {"0": None, "1": 86400.0})


def test_a_replay_returns_the_first_result(claim, submit):
    key = uuid.uuid4()
    first = submit(claim, submit_key=key)
    assert submit(claim, submit_key=key).pk == first.pk
    assert Annotation.objects.count() == Critique.objects.count() == 1


def test_a_second_different_answer_is_a_conflict(claim, submit):
    submit(claim)
    with pytest.raises(AnnotateConflict) as refused:
        submit(claim)
    assert refused.value.code == "already_answered"


def test_a_key_belongs_to_one_answer(project, iteration, claim, submit, person):
    key = uuid.uuid4()
    submit(claim, submit_key=key)
    make.task_make(iteration)
    other = services.assignment_claim(user=person, project=project)
    with pytest.raises(AnnotateConflict) as refused:
        submit(other, submit_key=key)
    assert refused.value.code == "key_reused"


def test_an_answer_that_does_not_fit_changes_nothing(claim, submit):
    with pytest.raises(PayloadInvalid) as refused:
        submit(claim, payload={"marks": [1, None, None], "verdict": "right"})
    assert refused.value.problems == ["Step 2 is not rated yet.", "Step 3 is not rated yet."]
    claim.refresh_from_db()
    assert claim.state == Assignment.State.ACTIVE
    assert Annotation.objects.count() == 0


@pytest.mark.parametrize("outcome", ["bad_problem", "give_up", "unsure"])
def test_set_aside_counts_as_an_answer_but_trains_nothing(claim, submit, iteration, outcome):
    made = submit(claim, outcome=outcome, payload={"reason": "the figure is missing"})
    assert (made.outcome, made.payload["reason"]) == (outcome, "the figure is missing")
    assert Critique.objects.count() == 0
    assert selectors.iteration_progress(iteration) == (1, 1)


def test_the_winner_is_a_candidate_whatever_was_displayed(project, iteration, person, submit):
    task = make.preference_task_make(iteration, "Answer: 4", "Answer: 5")
    claim = services.assignment_claim(user=person, project=project)
    made = submit(claim, payload={"winner": 1, "strength": 3, "rationale": " shorter "})
    record = Preference.objects.get(annotation=made).record()
    assert record.response_ids[record.winner] == str(task.response_ids[1])
    assert (record.strength, record.rationale, made.shown["order"]) == (1.0, "shorter", claim.order)


def test_only_the_claimant_may_submit(project, claim, submit):
    with pytest.raises(Assignment.DoesNotExist):
        submit(claim, user=make.member_make(project))


def test_listeners_hear_after_commit(project, iteration, person, submit, django_capture_on_commit_callbacks):
    make.task_make(iteration, overlap=2)
    claim = services.assignment_claim(user=person, project=project)
    heard = []

    def listen(annotation, created, **_):
        heard.append((annotation.pk, created))

    annotation_submitted.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            made = submit(claim)
            assert heard == []
    finally:
        annotation_submitted.disconnect(listen)
    assert heard == [(made.pk, True)]


def test_progress_counts_answers_wanted(project, iteration, person, submit):
    make.task_make(iteration, overlap=2)
    make.task_make(iteration)
    assert selectors.iteration_progress(iteration) == (0, 3)
    submit(services.assignment_claim(user=person, project=project))
    assert selectors.iteration_progress(iteration) == (1, 3)
    services.tasks_close(iteration=iteration)
    assert selectors.iteration_progress(iteration) == (1, 1)


def deep(levels):
    return {} if not levels else {"in": deep(levels - 1)}


@pytest.mark.parametrize(
    ("partial", "words"),
    [
        ({"far": float("inf")}, "too large"),
        (deep(100), "nested"),
        ({"long": "x" * 1024 * 1024}, "1024 KiB"),
    ],
)
def test_what_could_not_be_stored_or_shown_is_refused(claim, submit, partial, words):
    with pytest.raises(PayloadInvalid, match=words):
        submit(claim, outcome="give_up", payload={"reason": "", "partial": partial})


def test_times_are_kept_of_steps_only(claim, submit):
    """A key of thousands of digits is no number that the lead's page could read."""
    made = submit(claim, step_seconds={"0": 2.0, "01": 3.0, "9" * 5000: 1.0, "x": 1.0, "٣": 1.0})
    assert made.step_seconds == {"0": 2.0, "1": 3.0}

"""The lead's word: accepted, rejected, sent back, and the final word that stands for all votes."""

import pytest

from tests import factories as make
from webapp.annotate import services
from webapp.annotate.errors import AnnotateConflict, PayloadInvalid
from webapp.annotate.models import Annotation, ReviewNote
from webapp.annotate.selectors import iteration_progress, tasks_open
from webapp.curate.selectors import corrected_critique_ids, materials_of
from webapp.projects.models import AuditEvent, Role
from webapp.traces.models import Critique, Preference

RIGHT = {"marks": [1, 1, 1], "first_error": None, "verdict": "right"}
LATER = {"marks": [1, 0, -1], "first_error": 2, "verdict": "wrong"}


@pytest.fixture
def lead(project, make):
    return make.member_make(project, role=Role.LEAD)


@pytest.fixture
def vote(project, submit):
    """`vote(payload)`: somebody new takes the next task and answers so."""

    def go(payload, **values):
        claim = services.assignment_claim(user=make.member_make(project), project=project)
        return submit(claim, payload=payload, **values)

    return go


@pytest.fixture
def disputed(iteration, vote, answer):
    task = make.task_make(iteration, overlap=2)
    first, second = vote(answer), vote(RIGHT)
    task.refresh_from_db()
    return task, first, second


def states(task):
    task.refresh_from_db()
    return task.disagreement, task.reviewed, task.state, task.answers


def test_one_answer_waits_for_the_lead_and_two_that_differ_disagree(iteration, vote, answer):
    task = make.task_make(iteration, overlap=3)
    vote(answer)
    assert states(task) == (0, False, "open", 1)
    vote(answer | {"corrections": {}})  # the same first error: no disagreement
    assert states(task) == (0, False, "open", 2)
    vote(RIGHT)
    assert states(task) == (pytest.approx(1 / 3), False, "done", 3)


def test_accepting_many_leaves_disagreements_to_the_final_word(disputed, iteration, lead, vote, answer):
    task, *_ = disputed
    plain = make.task_make(iteration)
    one = vote(answer)
    assert services.answers_accept(by=lead, answers=Annotation.objects.all()) == 3
    assert set(Annotation.objects.values_list("state", "reviewed_by")) == {("accepted", lead.pk)}
    assert states(plain)[1]
    assert not states(task)[1]  # accepted or not, a tie trains nothing
    assert AuditEvent.objects.filter(verb="answers accepted").count() == 1
    assert services.answers_accept(by=lead, answers=Annotation.objects.all()) == 0
    assert not one.notes.exists()  # nothing was said


def test_accepting_costs_the_same_for_many(
    iteration, lead, vote, answer, django_assert_max_num_queries, project
):
    for _ in range(6):
        make.task_make(iteration)
        vote(answer)
    with django_assert_max_num_queries(16):
        assert services.answers_accept(by=lead, answers=Annotation.objects.all()) == 6


def test_a_rejected_answer_counts_for_nothing_and_may_count_again(disputed, lead):
    task, first, _ = disputed
    services.answer_reject(by=lead, annotation=first, note="Step 2 is right.")
    assert not Critique.objects.filter(annotation=first).exists()
    assert states(task) == (0, False, "done", 2)  # the other answer still waits
    (material,) = materials_of(task.iteration_id)
    assert material.judgements[0].first_error is None
    services.answers_accept(by=lead, answers=Annotation.objects.filter(pk=first.pk))
    assert Critique.objects.get(annotation=first).first_error == 1
    assert states(task)[0] == 0.5
    assert list(first.notes.values_list("action", "text")) == [
        ("rejected", "Step 2 is right."),
        ("accepted", ""),
    ]


def test_an_answer_sent_back_is_waited_for_until_its_author_gives_it_again(iteration, lead, vote, answer):
    task = make.task_make(iteration)
    one = vote(answer)
    with pytest.raises(PayloadInvalid, match="what to look at"):
        services.answer_send_back(by=lead, annotation=one, note="  ")
    services.answer_send_back(by=lead, annotation=one, note="Is step 1 right?")
    assert states(task)[2:] == ("open", 0)
    assert tasks_open(iteration)
    assert iteration_progress(iteration) == (0, 1)
    assert not Critique.objects.exists()
    services.answer_send_back(by=lead, annotation=one, note="And step 3?")  # said twice, counted once
    assert states(task)[2:] == ("open", 0)
    again = services.annotation_revise(
        user=one.user, pk=one.pk, payload=RIGHT, outcome="answered", revision=1
    )
    assert (again.state, again.revision) == ("submitted", 2)
    assert states(task) == (0, False, "done", 1)
    assert Critique.objects.get().verdict == "right"
    assert ReviewNote.objects.count() == 2


def test_standing_by_an_answer_that_was_sent_back(iteration, lead, vote, answer):
    task = make.task_make(iteration)
    one = vote(answer)
    services.answer_send_back(by=lead, annotation=one, note="Sure?")
    again = services.annotation_revise(
        user=one.user, pk=one.pk, payload=one.payload, outcome="answered", revision=1
    )
    assert (again.state, again.revision) == ("submitted", 1)
    assert Critique.objects.get().first_error == 1
    assert states(task)[2:] == ("done", 1)


def test_rejecting_an_answer_that_was_sent_back_stops_the_waiting(iteration, lead, vote, answer):
    task = make.task_make(iteration)
    one = vote(answer)
    services.answer_send_back(by=lead, annotation=one, note="Sure?")
    one.refresh_from_db()
    services.answer_reject(by=lead, annotation=one)
    assert states(task) == (0, True, "done", 1)


def test_the_final_word_stands_for_the_votes_which_stay(disputed, lead):
    task, first, second = disputed
    made = services.adjudicate(by=lead, task=task, payload=LATER, based_on=first.pk, note="Both missed it.")
    final = Critique.objects.get(final=True)
    assert (final.adjudication, final.author, final.annotation) == (made, lead, None)
    assert (final.first_error, final.marks) == (2, [1, 0, -1])
    assert set(Critique.objects.filter(final=False).values_list("author", flat=True)) == {
        first.user_id,
        second.user_id,
    }
    first.refresh_from_db()
    assert first.payload["first_error"] == 1
    assert states(task) == (0.5, True, "done", 2)
    (material,) = materials_of(task.iteration_id)
    assert [c.id for c in material.judgements] == [str(final.pk)]
    assert corrected_critique_ids(task.iteration) == [str(final.pk)]


def test_changing_the_final_word(disputed, lead):
    task, *_ = disputed
    services.adjudicate(by=lead, task=task, payload=LATER)
    with pytest.raises(AnnotateConflict, match="meanwhile"):
        services.adjudicate(by=lead, task=task, payload=RIGHT)
    other = make.member_make(task.project, role=Role.LEAD)
    made = services.adjudicate(by=other, task=task, payload=RIGHT, revision=1)
    assert made.revision == 2
    assert Critique.objects.get(final=True).author == other
    assert services.adjudicate(by=lead, task=task, payload=RIGHT, revision=2).revision == 2  # nothing new
    events = AuditEvent.objects.filter(verb="adjudicated").order_by("id")
    assert [e.data["before"] and e.data["before"]["payload"]["first_error"] for e in events] == [None, 2]
    assert events[1].data["after"]["payload"]["verdict"] == "right"


def test_a_final_word_that_sets_the_item_aside_silences_the_votes(disputed, lead):
    task, *_ = disputed
    services.adjudicate(by=lead, task=task, payload=LATER)
    services.adjudicate(
        by=lead, task=task, payload={"reason": "No answer exists."}, outcome="bad_problem", revision=1
    )
    assert not Critique.objects.filter(final=True).exists()
    (material,) = materials_of(task.iteration_id)
    assert material.judgements == ()
    assert corrected_critique_ids(task.iteration) == []


def test_the_final_word_needs_no_vote_and_ends_the_asking(iteration, lead, project):
    task = make.task_make(iteration, overlap=3)
    services.adjudicate(by=lead, task=task, payload=RIGHT)
    assert states(task)[2] == "done"
    assert services.assignment_claim(user=make.member_make(project), project=project) is None
    assert not tasks_open(iteration)


def test_who_is_at_it_may_still_answer(iteration, lead, person, project, submit, answer):
    task = make.task_make(iteration, overlap=2)
    claim = services.assignment_claim(user=person, project=project)
    services.adjudicate(by=lead, task=task, payload=RIGHT)
    submit(claim)
    assert states(task)[1:] == (True, "done", 1)
    assert Annotation.objects.get().state == "submitted"


def test_preferences_too(iteration, lead, vote, person):
    task = make.preference_task_make(iteration, overlap=2)
    vote({"winner": 0, "strength": 3})
    vote({"winner": 1, "strength": 1})
    assert states(task)[0] == 0.5
    services.adjudicate(by=lead, task=task, payload={"winner": 1, "strength": 2, "rationale": "Shorter."})
    final = Preference.objects.get(final=True)
    assert (final.winner, final.author) == (1, lead)
    (material,) = materials_of(task.iteration_id)
    assert [p.id for p in material.preferences] == [str(final.pk)]


def test_an_unfit_final_word_is_refused(disputed, lead):
    with pytest.raises(PayloadInvalid, match="3 steps"):
        services.adjudicate(by=lead, task=disputed[0], payload={"marks": [1], "verdict": "right"})


def test_after_the_iteration_went_on_all_stays_as_it_is(disputed, lead, iteration):
    task, first, _ = disputed
    iteration.stage = "curate"
    iteration.save()
    for attempt in (
        lambda: services.adjudicate(by=lead, task=task, payload=RIGHT),
        lambda: services.answer_reject(by=lead, annotation=first),
        lambda: services.answer_send_back(by=lead, annotation=first, note="?"),
    ):
        with pytest.raises(AnnotateConflict, match="data is made of these answers"):
            attempt()
    assert services.answers_accept(by=lead, answers=Annotation.objects.all()) == 0


def test_a_place_given_up_after_the_final_word_goes_to_nobody(iteration, lead, vote, person, project, answer):
    task = make.task_make(iteration, overlap=2)
    made = vote(answer)
    at_it = services.assignment_claim(user=person, project=project)
    services.adjudicate(by=lead, task=task, payload=RIGHT)
    services.assignment_release(user=person, token=at_it.token)
    services.answer_send_back(by=lead, annotation=made, note="Why?")
    task.refresh_from_db()
    assert (task.state, task.open_slots) == ("open", 0)
    assert services.assignment_claim(user=make.member_make(project), project=project) is None

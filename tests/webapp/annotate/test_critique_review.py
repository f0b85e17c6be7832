"""Critique review: what the page is given, and what accepting, editing, rejecting and preferring leave."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loop.records import Author
from tests import factories as make
from webapp.annotate import items, selectors, services
from webapp.annotate.errors import PayloadInvalid
from webapp.annotate.models import Annotation, AnnotationTask
from webapp.traces.models import Critique, Preference

SAID = {"marks": [1, -1, None], "first_error": 1, "verdict": "wrong", "comments": {"1": "Check the sum."}}
MISSED = {"marks": [1, 1, 1], "first_error": None, "verdict": "right", "comments": {}}
EDITED = {
    "marks": [1, 1, -1],
    "first_error": 2,
    "comments": {"2": "Not the answer."},
    "corrections": {"2": "Answer: 5"},
    "verdict": "wrong",
}


def claimed(project, person):
    return services.assignment_claim(user=person, project=project)


def item(claim):
    return items.item_of(selectors.assignment_for(claim.user, claim.token))


def by_people():
    return Critique.objects.filter(author_kind=Author.PERSON.value)


def test_a_task_needs_one_critique_or_two_different_ones(iteration):
    response = make.response_make(make.prompt_make(iteration.project), iteration=iteration)
    a, b, c = (make.model_critique_make(response).pk for _ in range(3))
    asked = [(response.prompt_id, (response.pk, ids), 0.0) for ids in ([a], [a, b])]
    for _ in range(2):  # a repeat adds nothing
        assert services.tasks_create(iteration=iteration, kind="critique_review", items=asked) == 2
    for ids in ([], [a, a], [a, b, c]):
        with pytest.raises(ValueError, match="one critique or two different ones"):
            services.tasks_create(
                iteration=iteration,
                kind="critique_review",
                items=[(response.prompt_id, (response.pk, ids), 0)],
            )
    assert AnnotationTask.objects.count() == 2


def test_the_page_gets_the_critique_and_no_other_word_of_the_model(project, iteration, person):
    task = make.review_task_make(iteration, SAID)
    shown = item(claimed(project, person))
    assert shown["kind"] == "critique_review"
    assert [r["id"] for r in shown["responses"]] == [str(task.response_id)]
    assert shown["critiques"] == [{"critique": 0, **SAID, "corrections": {}, "text": ""}]
    assert shown["model_critique"] is None  # the latest critique would give the answer away


def test_two_come_in_a_stored_random_order_under_their_own_index(project, iteration):
    make.review_task_make(iteration, SAID, MISSED, overlap=12)
    orders = set()
    for _ in range(12):
        claim = claimed(project, make.member_make(project))
        shown = item(claim)
        assert [c["critique"] for c in shown["critiques"]] == claim.order == claim.shown["order"]
        assert {c["critique"]: c["verdict"] for c in shown["critiques"]} == {0: "wrong", 1: "right"}
        orders.add(tuple(claim.order))
    assert orders == {(0, 1), (1, 0)}  # 12 draws alike: once in 2,048 runs


def test_an_item_costs_the_same_with_two_critiques(project, iteration, person, django_assert_num_queries):
    make.review_task_make(iteration, SAID, priority=1)
    one = claimed(project, person)
    make.review_task_make(iteration, SAID, MISSED)
    two = services.assignment_claim(user=person, project=project, besides=one.token)
    assert two.task_id != one.task_id
    with CaptureQueriesContext(connection) as first:
        item(one)
    with django_assert_num_queries(len(first)):
        item(two)


def test_accepted_it_is_the_persons_own_critique(project, iteration, person, submit):
    task = make.review_task_make(iteration, SAID)
    made = submit(claimed(project, person), payload={"decision": "accept"})
    row = by_people().get()
    record = row.record()
    assert (row.annotation, row.author, row.response_id) == (made, person, task.response_id)
    assert (record.marks, record.first_error, record.verdict) == ((1, -1, None), 1, "wrong")
    assert record.comments == {1: "Check the sum."}
    assert Critique.objects.filter(author_kind=Author.MODEL.value).count() == 1  # untouched
    assert Preference.objects.count() == 0


def test_edited_it_is_what_the_person_made_of_it(project, iteration, person, submit):
    make.review_task_make(iteration, SAID)
    submit(claimed(project, person), payload={"decision": "edit", "edited": EDITED, "reason": "too early"})
    record = by_people().get().record()
    assert (record.marks, record.first_error) == ((1, 1, -1), 2)
    assert (record.comments, record.corrections) == ({2: "Not the answer."}, {2: "Answer: 5"})


def test_rejected_it_leaves_no_critique(project, iteration, person, submit):
    make.review_task_make(iteration, SAID)
    made = submit(claimed(project, person), payload={"decision": "reject", "reason": "The sum is right."})
    assert made.payload["reason"] == "The sum is right."
    assert not by_people().exists()


def test_a_changed_mind_changes_the_record(project, iteration, person, submit):
    make.review_task_make(iteration, SAID)
    made = submit(claimed(project, person), payload={"decision": "accept"})
    made = services.annotation_revise(
        user=person, pk=made.pk, payload={"decision": "reject"}, outcome="answered", revision=1
    )
    assert not by_people().exists()
    services.annotation_revise(
        user=person,
        pk=made.pk,
        payload={"decision": "edit", "edited": EDITED},
        outcome="answered",
        revision=made.revision,
    )
    assert by_people().get().first_error == 2


@pytest.mark.parametrize(
    ("answer", "winner", "all_bad"),
    [({"winner": 1}, 1, False), ({"winner": None}, None, False), ({"all_bad": True}, None, True)],
)
def test_of_two_one_is_preferred(project, iteration, person, submit, answer, winner, all_bad):
    task = make.review_task_make(iteration, SAID, MISSED)
    payload = {"decision": "prefer", "strength": 3, "reason": "It finds the error.", **answer}
    submit(claimed(project, person), payload=payload)
    row = Preference.objects.get()
    assert (row.response_ids, row.critique_ids) == ([task.response_id], task.critique_ids)
    assert (row.winner, row.all_bad, row.strength) == (winner, all_bad, 1.0)
    assert row.rationale == "It finds the error."
    assert row.iteration_id == iteration.pk
    record = row.record()
    assert record.options == tuple(str(pk) for pk in task.critique_ids)
    assert not by_people().exists()  # a comparison judges no step


@pytest.mark.parametrize(
    ("critiques", "payload", "said"),
    [
        ((SAID,), {"decision": "prefer", "winner": 0}, "There is one critique"),
        ((SAID, MISSED), {"decision": "accept"}, "say which is better"),
        ((SAID,), {"decision": "edit"}, "comes with the decision"),
        ((SAID,), {"decision": "accept", "edited": EDITED}, "comes with the decision"),
        ((SAID,), {"decision": "edit", "edited": {**EDITED, "marks": [1, -1]}}, "first error must be"),
        ((SAID,), {"decision": "edit", "edited": {**MISSED, "marks": [1, None, 1]}}, "Step 2 is not rated"),
        ((SAID, MISSED), {"decision": "prefer", "winner": 0, "all_bad": True}, "not both"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(project, iteration, person, submit, critiques, payload, said):
    make.review_task_make(iteration, *critiques)
    with pytest.raises(PayloadInvalid) as refused:
        submit(claimed(project, person), payload=payload)
    assert said in " ".join(refused.value.problems)
    assert Annotation.objects.count() == 0

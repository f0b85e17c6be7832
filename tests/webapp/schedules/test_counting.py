"""Counting answers: none twice, none lost, weights as the formula says."""

import threading

import pytest
from django.db import connection, transaction

from tests import factories as make
from tests.webapp.iterations.support import together
from tests.webapp.schedules.support import NOON, answer, answers_make, schedule_make, tasks_make
from webapp.annotate.models import Annotation
from webapp.schedules.services import counting
from webapp.schedules.services.facts import tally_of


def updated(schedule):
    tally = tally_of(schedule)
    counting.tally_update(tally, schedule.project)
    return tally


@pytest.mark.django_db
def test_weight_is_agreement_of_tasks_and_reliability_of_those_who_answer_alone():
    schedule = schedule_make(kind="data", every=100, weighted=True)
    project = schedule.project
    known, unknown = make.member_make(project), make.member_make(project)
    for i, task in enumerate(
        tasks_make(project, 5, purpose="gold", gold={"marks": [1, -1], "first_error": 1})
    ):
        said = {"marks": [1, -1], "first_error": 1} if i else {"marks": [1, 1], "first_error": None}
        given = answer(task, known)
        given.payload = {**said, "verdict": "wrong" if i else "right"}
        given.save()
    rate = counting.gold_rates(project, [known.pk])[known.pk]
    agreed, split, alone, other = tasks_make(project, 4)
    for task, disagreement in ((agreed, 0.0), (split, 0.5)):
        answer(task, known)
        answer(task, unknown)
        task.disagreement = disagreement
        task.save()
    answer(alone, known)
    answer(other, unknown)
    tally = updated(schedule)
    assert tally.most == 6  # gold is no label
    assert rate.n == 5
    # 1 agreed + 0.5 split + the known person's share on gold + 1 for who is not known
    expected = 1.0 + 0.5 + rate.value + 1.0
    assert counting.reached(tally, schedule.planned, project, NOON) == pytest.approx(expected)


@pytest.mark.django_db
def test_the_bound_is_never_below_what_counts_and_spares_going_through_again():
    schedule = schedule_make(kind="data", every=5)
    project, plan = schedule.project, schedule.planned
    rejected = answers_make(project, 3, state="rejected")
    tally = updated(schedule)
    assert counting.reached_at_most(tally, plan, NOON) == 3
    assert counting.reached(tally, plan, project, NOON) == 0
    assert counting.reached_at_most(tally, plan, NOON) == 0
    answers_make(project, 2)
    tally = updated(schedule)
    assert counting.reached_at_most(tally, plan, NOON) == 2
    rejected[0].state = "accepted"  # taken back: seen once an hour has passed
    rejected[0].save()
    assert counting.reached_at_most(tally, plan, NOON + 2 * counting.STALE) == 5
    assert counting.reached(tally, plan, project, NOON) == 3


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_commits_late_is_counted_once():
    """Its id is lower than those counted meanwhile."""
    schedule = schedule_make(kind="data", every=100)
    project = schedule.project
    late_task, *tasks = tasks_make(project, 4)
    people = [make.user_make() for _ in range(4)]
    written, go_on = threading.Event(), threading.Event()

    def late():
        with transaction.atomic():
            answer(late_task, people[0])
            written.set()
            assert go_on.wait(20)
        return 0

    def meanwhile():
        assert written.wait(20)
        seen = []
        for task, person in zip(tasks, people[1:], strict=True):
            answer(task, person)
            seen.append(updated(schedule).most)
        counting.tally_restart(tally_of(schedule), project)  # an iteration starts with three of them
        seen.append(updated(schedule).most)
        go_on.set()
        return seen

    assert together([late, meanwhile])[1] == [1, 2, 3, 0]
    assert [updated(schedule).most for _ in range(3)] == [1, 1, 1]
    assert counting.reached(tally_of(schedule), schedule.planned, project, NOON) == 1
    assert tally_of(schedule).seen_id == Annotation.objects.latest("pk").pk, "what is settled was not passed"


@pytest.mark.django_db
def test_counting_scans_no_table():
    """Of many answers the plan reads the new ones by their primary key, and their tasks by theirs."""
    project = make.project_make()
    task = tasks_make(project, 1)[0]
    person = make.user_make()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO annotate_annotationtask (project_id, kind, prompt_id, response_id, response_ids,
                critique_ids, purpose, named, requeued, state, priority, overlap, open_slots, answers,
                disagreement, reviewed, show_model_critique, show_reference, meta, created_at)
            SELECT project_id, kind, prompt_id, response_id, response_ids, critique_ids, purpose, named,
                requeued, state, priority, overlap, open_slots, answers, disagreement, reviewed,
                show_model_critique, show_reference, meta, created_at
            FROM annotate_annotationtask, generate_series(1, 20000) WHERE id = %s
            """,
            [task.pk],
        )
        cursor.execute(
            """
            INSERT INTO annotate_annotation (task_id, user_id, submit_key, outcome, state, payload, revision,
                shown, step_seconds, created_at)
            SELECT id, %s, gen_random_uuid(), 'answered', 'submitted', '{}', 1, '{}', '{}', now()
            FROM annotate_annotationtask WHERE id > %s
            """,
            [person.pk, task.pk],
        )
        cursor.execute("ANALYZE annotate_annotation")
        cursor.execute("ANALYZE annotate_annotationtask")
        cursor.execute("SELECT max(id) - 50 FROM annotate_annotation")
        after = cursor.fetchone()[0]
    given = counting.answers_given(project, after)
    plan = given.explain()
    assert given.count() == 50
    assert "Seq Scan" not in plan, plan

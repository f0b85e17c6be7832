"""The queue of one kind: cursor, slots that come back, quotas, kinds in turn, settings."""

import random

import pytest

from tests import factories as make
from webapp.annotate import selectors, services
from webapp.annotate.models import Queue, QueueCursor
from webapp.projects.models import AuditEvent

claim = services.assignment_claim


def setting(project, kind="step_critique", **values):
    Queue.objects.update_or_create(project=project, kind=kind, defaults=values)


def test_a_cursor_goes_along_and_is_only_a_hint(project, iteration, person, submit):
    first, second = make.task_make(iteration), make.task_make(iteration)
    submit(claim(user=person, project=project))
    cursor = QueueCursor.objects.get()
    assert (cursor.user_id, cursor.task_id) == (person.pk, first.pk)
    QueueCursor.objects.update(task_id=second.pk)  # it has passed over what was taken at that moment
    assert claim(user=person, project=project).task_id == second.pk


def test_what_comes_with_a_higher_priority_is_found_before_the_rest(project, iteration, person, submit):
    make.task_make(iteration, priority=1.0)
    make.task_make(iteration, priority=1.0)
    submit(claim(user=person, project=project))
    urgent = make.task_make(make.iteration_make(project), priority=5.0)
    assert claim(user=person, project=project).task_id == urgent.pk


def test_what_comes_with_the_same_priority_leaves_people_where_they_are(project, iteration, person, submit):
    make.task_make(iteration)
    submit(claim(user=person, project=project))
    later = make.task_make(iteration)
    assert QueueCursor.objects.count() == 1
    assert claim(user=person, project=project).task_id == later.pk


def test_a_slot_that_came_back_is_taken_before_the_rest(project, iteration, person, submit):
    first = make.task_make(iteration)
    for _ in range(3):
        make.task_make(iteration)
    other = make.member_make(project)
    held = claim(user=other, project=project)
    assert held.task_id == first.pk
    submit(claim(user=person, project=project))
    services.assignment_release(user=other, token=held.token)
    first.refresh_from_db()
    assert first.requeued
    assert claim(user=person, project=project).task_id == first.pk
    first.refresh_from_db()
    assert not first.requeued


def test_kinds_are_tried_in_turn(project, iteration, person, submit):
    pair, steps = make.preference_task_make(iteration), make.task_make(iteration)
    got = []
    for payload in ({"marks": [1, 1, 1], "verdict": "right"}, {"winner": 0}):
        one = claim(user=person, project=project)
        got.append(one.task_id)
        submit(one, payload=payload)
    assert got == [steps.pk, pair.pk]


def test_a_quota_ends_the_day_but_not_the_item_at_hand(project, iteration, person, submit):
    for _ in range(4):
        make.task_make(iteration)
    setting(project, daily_quota=2)
    now = claim(user=person, project=project)
    ahead = claim(user=person, project=project, besides=now.token)
    assert ahead is not None
    submit(now)
    assert claim(user=person, project=project).pk == ahead.pk
    assert claim(user=person, project=project, besides=ahead.token) is None  # two in all: done and at hand
    submit(ahead)
    assert claim(user=person, project=project) is None
    assert selectors.quota_reached(project=project, user=person)
    assert claim(user=make.member_make(project), project=project) is not None


def test_a_share_of_critiques_is_withheld_and_that_is_on_record(project, iteration):
    task = make.task_make(iteration, overlap=60)
    critique = make.model_critique_make(task.response)
    setting(project, withhold_share=0.5)
    random.seed(5)
    shown = [claim(user=make.member_make(project), project=project).shown for _ in range(60)]
    withheld = [s for s in shown if s.get("withheld")]
    assert 15 < len(withheld) < 45
    assert all(s["model_critique"] is None for s in withheld)
    assert all(s["model_critique"] == str(critique.pk) for s in shown if s not in withheld)


def test_waiting_is_counted_then_estimated(project, iteration, person, submit, monkeypatch):
    for _ in range(5):
        make.task_make(iteration)
    assert selectors.tasks_waiting_count(project=project, user=person) == 5
    submit(claim(user=person, project=project))
    assert selectors.tasks_waiting_count(project=project, user=person) == 4
    monkeypatch.setattr(selectors, "COUNTED", 3)
    assert selectors.tasks_waiting_count(project=project, user=person) == 4  # open: one is done


def test_settings_are_checked_kept_and_on_record(project):
    lead = make.member_make(project, "lead")
    services.queue_set(project=project, kind="preference", by=lead, overlap=3, gold_share=0.1)
    services.queue_set(project=project, kind="preference", by=lead, gold_share=0.2)
    queue = Queue.objects.get()
    assert (queue.overlap, queue.gold_share) == (3, 0.2)
    assert AuditEvent.objects.filter(verb="queue changed").latest("pk").data == {
        "before": {"gold_share": 0.1},
        "after": {"gold_share": 0.2},
    }
    services.queue_set(project=project, kind="preference", by=lead, gold_share=0.2)
    assert AuditEvent.objects.filter(verb="queue changed").count() == 2  # nothing changed: nothing recorded


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"overlap": 0}, "overlap"),
        ({"gold_share": 1.5}, "gold_share"),
        ({"gold_share": 0.7, "repeat_share": 0.7}, "more than all items"),
        ({"order": "by_magic"}, "by_magic"),
        ({"error_kinds": ["sum", "sum"]}, "twice"),
        ({"criteria": [{"key": "Bad Key", "label": "x", "kind": "rating"}]}, "criteria.0.key"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_settings_that_cannot_be_are_refused(project, settings, problem):
    with pytest.raises(services.QueueRefused, match=problem):
        services.queue_set(project=project, kind="preference", by=None, **settings)
    assert not AuditEvent.objects.exists()


def test_tasks_are_made_as_the_queue_says_unless_told_otherwise(project, iteration):
    setting(project, overlap=4, show_reference=True)
    plain, told = make.task_make(iteration), make.task_make(iteration, overlap=2, show_reference=False)
    assert (plain.overlap, plain.open_slots, plain.show_reference) == (4, 4, True)
    assert (told.overlap, told.show_reference) == (2, False)


def test_a_queue_takes_another_order_at_once(project, iteration, person, submit):
    """By hand: wrong first; of the wrong ones, that of the surer model; the right one last."""
    surely_wrong, right, wrong = (make.task_make(iteration) for _ in range(3))
    for task, verdict, sure in (
        (surely_wrong, "wrong", -0.1),
        (right, "right", -0.2),
        (wrong, "wrong", -0.9),
    ):
        task.response.verdict, task.response.logprobs = verdict, [sure, sure]
        task.response.save()
    submit(claim(user=person, project=project))  # so there is a cursor, past the first
    assert (
        services.queue_reorder(project=project, kind="step_critique", by=None, order="convincing_wrong") == 2
    )
    assert Queue.objects.get().order == "convincing_wrong"
    got = []
    for _ in range(2):
        one = claim(user=person, project=project)
        got.append(one.task_id)
        submit(one)
    assert got == [wrong.pk, right.pk]
    assert AuditEvent.objects.get(verb="queue reordered").data["tasks"] == 2


def test_the_uniform_share_of_an_order_is_marked(project, iteration):
    tasks = [make.task_make(iteration) for _ in range(10)]
    setting(project, control_share=0.3)
    services.queue_reorder(project=project, kind="step_critique", by=None, order="convincing_wrong")
    for task in tasks:
        task.refresh_from_db()
    assert sum(task.meta.get("control", False) for task in tasks) == 3
    assert sorted(task.priority for task in tasks) == [float(i + 1) for i in range(10)]


def test_an_unknown_order_is_refused(project):
    with pytest.raises(services.QueueRefused, match="no order"):
        services.queue_reorder(project=project, kind="preference", by=None, order="by_magic")

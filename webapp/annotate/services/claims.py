"""Handing out tasks: a claim is a leased row, so two people never hold one slot and none is lost."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone

from webapp.accounts.models import User
from webapp.annotate import selectors
from webapp.annotate.errors import AnnotateConflict
from webapp.annotate.models import AnnotationTask, Assignment, TaskPurpose, TaskState
from webapp.annotate.services import choosing
from webapp.annotate.services.inserting import rows_insert
from webapp.annotate.statements import columns_of, instance_of, row_of
from webapp.projects.models import Project

if TYPE_CHECKING:
    from webapp.iterations.models import Iteration

State = Assignment.State


def lease_end() -> datetime:
    return timezone.now() + timedelta(seconds=settings.ASSIGNMENT_LEASE)


@transaction.atomic
def assignment_claim(
    *,
    user: User,
    project: Project,
    kind: str | None = None,
    iteration: Iteration | None = None,
    besides: UUID | None = None,
) -> Assignment | None:
    """The next item for this person, or None when nothing waits for them (or their day's quota is reached).

    Their own live claim comes first (a reload resumes it), then one they let expire whose slot is still
    free (their draft comes back with it), tasks they are invited to, comparisons that the gate waits for,
    now and then a gold item or a silent repeat, slots that came back, and the best free task they never
    had. Without ``kind`` the kinds are tried in turn. ``besides`` leaves out the claim they are working on,
    to fetch the one after it early.
    The number of queries depends on none of how many tasks, people and answers there are.

    Raises:
        PermissionDenied: this person may not annotate in the project.
    """
    facts = choosing.facts_locked(user, project, [str(role) for role in selectors.MAY_ANNOTATE])
    if not facts.may:
        raise PermissionDenied("You may look at this project but not annotate in it.")
    iteration_id = iteration.pk if iteration else None
    if own := _own(user, project, kind, iteration_id, besides):
        return own
    ahead = 1 if besides else 0
    queues = [
        queue
        for name, queue in facts.queues.items()
        if kind in (None, name) and not quota_reached(queue["daily_quota"], facts.today + ahead)
    ]
    if found := _next(user, project, facts, queues, iteration_id, ahead):
        return found
    # Do not wait for the scheduler's sweep; and once more from the queues' start.
    swept = assignments_sweep(now=timezone.now(), project=project)
    if swept or (facts.cursors and iteration is None):
        return _next(user, project, facts, queues, iteration_id, ahead, again=True)
    return None


def quota_reached(quota: int | None, answers: int) -> bool:
    return quota is not None and answers >= quota


_OWN = """
SELECT {columns} FROM annotate_assignment a JOIN annotate_annotationtask t ON t.id = a.task_id
WHERE a.user_id = %(user)s AND a.state IN ('active', 'expired') AND t.project_id = %(project)s
    AND t.state = 'open' AND (a.state = 'active' OR t.open_slots > 0)
    AND (%(kind)s::text IS NULL OR t.kind = %(kind)s)
    AND (%(iteration)s::bigint IS NULL OR t.iteration_id = %(iteration)s)
    AND (%(besides)s::uuid IS NULL OR a.token <> %(besides)s)
ORDER BY a.state, a.id LIMIT 1 FOR UPDATE OF a
"""  # 'active' sorts before 'expired'


def _own(
    user: User, project: Project, kind: str | None, iteration_id: int | None, besides: UUID | None
) -> Assignment | None:
    """The person's live claim, or an expired one whose slot is still free, made live again."""
    values = {
        "user": user.pk,
        "project": project.pk,
        "kind": kind,
        "iteration": iteration_id,
        "besides": besides,
    }
    found = row_of(_OWN.format(columns=columns_of(Assignment, "a")), values)
    own = instance_of(Assignment, found) if found else None
    if own is None or (own.state == State.EXPIRED and not slot_take(own.task_id)):
        return None
    own.state, own.lease_until = State.ACTIVE, lease_end()
    own.save(update_fields=["state", "lease_until"])
    return own


def slot_take(task_id: int) -> bool:
    """Take one free slot of an open task; false when there is none left."""
    free = AnnotationTask.objects.filter(pk=task_id, state=TaskState.OPEN, open_slots__gt=0)
    still = Case(When(open_slots=1, then=Value(False)), default=F("requeued"))
    return free.update(open_slots=F("open_slots") - 1, requeued=still) == 1


def _next(
    user: User,
    project: Project,
    facts: choosing.Facts,
    queues: list[dict[str, Any]],
    iteration_id: int | None,
    ahead: int,
    *,
    again: bool = False,
) -> Assignment | None:
    """Find a task, take a slot of it and hand it out. ``again``: from the queues' start."""
    taking = choosing.Taking(user, project, iteration_id)
    if facts.invited and queues:
        taking.invited([queue["kind"] for queue in queues])
    for queue in queues:
        kind = queue["kind"]
        if facts.gate:
            taking.gate(kind)
        drawn = choosing.draw(user, project, facts, queue, ahead=ahead)
        if drawn == TaskPurpose.REPEAT and not again:
            if first := taking.task():  # an invitation, a comparison for the gate, or the kinds before
                return _hand_out(first, user, facts)
            if repeated := choosing.repeat_make(user, project, queue, iteration_id):
                return _hand_out_again(*repeated, user, facts)
        elif drawn == TaskPurpose.GOLD and iteration_id is None:
            taking.gold(kind)
        if facts.requeued or again:
            taking.requeued(kind)
        taking.queue(kind, after=None if again else facts.cursors.get(kind))
    task = taking.task()
    return _hand_out(task, user, facts) if task else None


def _hand_out(task: AnnotationTask, user: User, facts: choosing.Facts) -> Assignment:
    compared = task.critique_ids or task.response_ids
    order = random.sample(range(len(compared)), len(compared))
    critique = getattr(task, "model_critique", None)
    shown: dict[str, Any] = {"reference": task.show_reference, "order": order}
    if critique and random.random() < facts.queues[task.kind]["withhold_share"]:
        critique, shown["withheld"] = None, True
    shown["model_critique"] = str(critique) if critique else None
    return _claim_write(task, user, facts, order, shown)


def _hand_out_again(task: AnnotationTask, first: Assignment, user: User, facts: choosing.Facts) -> Assignment:
    """A repeat shows what the first time showed, but for the sides: a habit of the left one comes out."""
    order = first.order[::-1]
    shown = {
        key: first.shown[key] for key in ("model_critique", "reference", "withheld") if key in first.shown
    }
    return _claim_write(task, user, facts, order, {**shown, "order": order})


def _claim_write(
    task: AnnotationTask, user: User, facts: choosing.Facts, order: list[int], shown: dict[str, Any]
) -> Assignment:
    claim = Assignment(
        task=task,
        user=user,
        lease_until=lease_end(),
        order=order,
        shown=shown,
        guideline_version_id=facts.guidelines,
    )
    rows_insert(claim)
    return claim


@transaction.atomic
def assignment_heartbeat(*, user: User, token: UUID) -> Assignment:
    """Still here: the lease starts anew. An expired claim whose slot is still free comes back to life.

    Raises:
        Assignment.DoesNotExist: not this person's.
        AnnotateConflict: answered, withdrawn, or the slot went to someone else.
    """
    assignment = assignment_locked(user, token)
    if assignment.task.state == TaskState.CLOSED:
        raise AnnotateConflict("task_closed", "This task was withdrawn: the iteration has moved on.")
    if assignment.state in (State.SUBMITTED, State.RELEASED):
        raise AnnotateConflict("already_answered", "You have already answered or skipped this item.")
    if assignment.state == State.EXPIRED and not slot_take(assignment.task_id):
        raise lease_lost()
    assignment.state, assignment.lease_until = State.ACTIVE, lease_end()
    assignment.save(update_fields=["state", "lease_until"])
    return assignment


@transaction.atomic
def assignment_release(*, user: User, token: UUID, reason: str = "") -> Assignment:
    """Skip: the slot goes back to the others and this person is not asked again. A repeat changes nothing.

    Raises:
        Assignment.DoesNotExist: not this person's.
        AnnotateConflict: already answered.
    """
    assignment = assignment_locked(user, token)
    if assignment.state == State.SUBMITTED:
        raise AnnotateConflict("already_answered", "You have already answered this item.")
    if assignment.state == State.RELEASED:
        return assignment
    if assignment.state == State.ACTIVE:  # an expired claim gave its slot back already
        _slot_back(assignment.task_id)
    assignment.state, assignment.skip_reason = State.RELEASED, reason.strip()[:200]
    assignment.save(update_fields=["state", "skip_reason"])
    return assignment


def _slot_back(task_id: int) -> None:
    """A slot that its holder does not want. Once nobody else is to be asked (a final word) it goes to nobody,
    nor may others have one that was for a named person: the task then asks for one answer less, unless
    that leaves none; the lead has to name somebody else."""
    task = AnnotationTask.objects.select_for_update(no_key=True).get(pk=task_id)
    if task.state != TaskState.OPEN:
        return
    if task.named and task.overlap > 1:
        task.overlap -= 1
        task.state = TaskState.DONE if task.answers >= task.overlap else task.state
    else:
        task.open_slots, task.requeued = task.open_slots + 1, True
    task.save(update_fields=["overlap", "open_slots", "requeued", "state"])


_LOCKED = """
SELECT {columns}, t.kind, p.split FROM annotate_assignment a
JOIN annotate_annotationtask t ON t.id = a.task_id JOIN projects_prompt p ON p.id = t.prompt_id
WHERE a.token = %(token)s AND a.user_id = %(user)s AND (%(always)s OR EXISTS (
    SELECT 1 FROM projects_membership m
    WHERE m.project_id = t.project_id AND m.user_id = a.user_id AND m.role = ANY(%(roles)s)))
FOR UPDATE OF a
"""


def assignment_locked(user: User, token: UUID) -> Assignment:
    """The person's claim, its row locked until the transaction ends; with its task's ``kind`` and ``split``.

    Raises:
        Assignment.DoesNotExist: not theirs, unknown, or no longer a member who may annotate.
    """
    roles = [str(role) for role in selectors.MAY_ANNOTATE]
    values = {"token": token, "user": user.pk, "always": user.is_superuser, "roles": roles}
    found = row_of(_LOCKED.format(columns=columns_of(Assignment, "a")), values)
    if found is None:
        raise Assignment.DoesNotExist
    claim = instance_of(Assignment, found)
    claim.kind, claim.split = found[-2:]
    return claim


def lease_lost() -> AnnotateConflict:
    return AnnotateConflict(
        "lease_lost", "Your time on this item ran out and someone else has it now. Your draft is kept."
    )


# One statement: which claims expire and which slots come back cannot disagree. Two sweeps may meet at
# tasks that several people share: both lock those by id, so one waits and neither deadlocks.
_SWEEP = """
WITH due AS (
    SELECT a.id FROM annotate_assignment a JOIN annotate_annotationtask t ON t.id = a.task_id
    WHERE a.state = 'active' AND a.lease_until < %(now)s
        AND (%(project)s::bigint IS NULL OR t.project_id = %(project)s)
    ORDER BY a.lease_until LIMIT 1000 FOR UPDATE OF a SKIP LOCKED
), expired AS (
    UPDATE annotate_assignment a SET state = 'expired' FROM due WHERE a.id = due.id RETURNING a.task_id
), back AS (
    SELECT task_id, count(*) AS n FROM expired GROUP BY task_id
), held AS MATERIALIZED (
    SELECT id FROM annotate_annotationtask WHERE id IN (SELECT task_id FROM back)
    ORDER BY id FOR NO KEY UPDATE
), slots AS (
    UPDATE annotate_annotationtask t SET open_slots = open_slots + back.n, requeued = true
    FROM held JOIN back ON back.task_id = held.id WHERE t.id = held.id AND t.state = 'open'
)
SELECT count(*) FROM expired
"""


def assignments_sweep(*, now: datetime, project: Project | None = None) -> int:
    """Expire claims whose lease ran out and give their slots back; drafts stay. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_SWEEP, {"now": now, "project": project.pk if project else None})
        return int(cursor.fetchone()[0])


def assignments_hand_back(*, user: User, iteration: Iteration) -> int:
    """End the leases of this person's live claims in an iteration, so that others can answer. Drafts stay,
    and an answer that comes after all is taken while the slot is still free. Returns how many."""
    now = timezone.now()
    mine = Assignment.objects.filter(user=user, state=State.ACTIVE, task__iteration=iteration)
    ended = mine.update(lease_until=now)
    assignments_sweep(now=now + timedelta(microseconds=1), project=iteration.project)
    return ended

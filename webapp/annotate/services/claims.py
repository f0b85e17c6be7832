"""Handing out tasks: a claim is a leased row, so two people never hold one slot and none is lost."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from webapp.accounts.models import User
from webapp.annotate import selectors
from webapp.annotate.errors import AnnotateConflict
from webapp.annotate.models import AnnotationTask, Assignment, TaskKind, TaskState
from webapp.projects.models import Project
from webapp.projects.selectors import guidelines_now

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
    """The next item for this person, or None when nothing waits for them.

    Their own live claim comes first (a reload resumes it), then one they let expire whose slot is still
    free (their draft comes back with it), then the best free task they never had. ``besides`` leaves out
    the claim they are working on, to fetch the one after it early. Constant number of queries.

    Raises:
        PermissionDenied: this person may not annotate in the project.
    """
    # The lock makes one person's claims wait for each other: two tabs get the same item, not two.
    User.objects.select_for_update(no_key=True).only("pk").get(pk=user.pk)
    if not selectors.annotatable(user).filter(pk=project.pk).exists():
        raise PermissionDenied("You may look at this project but not annotate in it.")
    chosen: dict[str, Any] = {"task__kind": kind} if kind else {}
    if iteration:
        chosen["task__iteration_id"] = iteration.pk
    if own := _own(user, project, chosen, besides):
        return own
    task = _next_free(user, project, kind, iteration)
    if task is None and assignments_sweep(now=timezone.now(), project=project):
        task = _next_free(user, project, kind, iteration)  # do not wait for the scheduler's sweep
    return _hand_out(task, user) if task else None


def _own(user: User, project: Project, chosen: dict[str, Any], besides: UUID | None) -> Assignment | None:
    """The person's live claim, or an expired one whose slot is still free, made live again."""
    reclaimable = Q(state=State.ACTIVE) | Q(state=State.EXPIRED, task__open_slots__gt=0)
    own = (
        Assignment.objects.select_for_update(of=("self",))
        .filter(reclaimable, user=user, task__project=project, task__state=TaskState.OPEN, **chosen)
        .exclude(token__in=[besides] if besides else [])
        .order_by(Case(When(state=State.ACTIVE, then=Value(0)), default=Value(1)), "id")
        .first()
    )
    if own is None or (own.state == State.EXPIRED and not slot_take(own.task_id)):
        return None
    own.state, own.lease_until = State.ACTIVE, lease_end()
    own.save(update_fields=["state", "lease_until"])
    return own


def slot_take(task_id: int) -> bool:
    """Take one free slot of an open task; false when there is none left."""
    free = AnnotationTask.objects.filter(pk=task_id, state=TaskState.OPEN, open_slots__gt=0)
    return free.update(open_slots=F("open_slots") - 1) == 1


def _next_free(
    user: User, project: Project, kind: str | None, iteration: Iteration | None
) -> AnnotationTask | None:
    tasks = selectors.tasks_free(project=project, user=user, kind=kind, iteration=iteration)
    return tasks.select_for_update(skip_locked=True, of=("self",)).first()


def _hand_out(task: AnnotationTask, user: User) -> Assignment:
    task.open_slots -= 1  # the row is locked
    task.save(update_fields=["open_slots"])
    compared = task.critique_ids or task.response_ids
    order = random.sample(range(len(compared)), len(compared))
    critique = None
    if task.show_model_critique and task.kind == TaskKind.STEP_CRITIQUE and task.response_id:
        critique = selectors.model_critique_of(task.response_id)
    shown: dict[str, Any] = {
        "model_critique": str(critique.pk) if critique else None,
        "reference": task.show_reference,
        "order": order,
    }
    return Assignment.objects.create(
        task=task,
        user=user,
        lease_until=lease_end(),
        order=order,
        shown=shown,
        guideline_version=guidelines_now(task.project_id),
    )


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
        AnnotationTask.objects.filter(pk=assignment.task_id).update(open_slots=F("open_slots") + 1)
    assignment.state, assignment.skip_reason = State.RELEASED, reason.strip()[:200]
    assignment.save(update_fields=["state", "skip_reason"])
    return assignment


def assignment_locked(user: User, token: UUID) -> Assignment:
    """The person's claim, its row locked until the transaction ends."""
    return (
        Assignment.objects.select_for_update(of=("self",))
        .select_related("task")
        .get(token=token, user=user, task__project__in=selectors.annotatable(user))
    )


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
    UPDATE annotate_annotationtask t SET open_slots = open_slots + back.n
    FROM held JOIN back ON back.task_id = held.id WHERE t.id = held.id
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

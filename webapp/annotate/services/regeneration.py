"""Alternatives from a step on: asked by a person, written by a worker under a lease and a fencing token.

Like a work unit, but for somebody who waits: workers take these rows before batch work and between the
decoding steps of it. The responses are stored in the transaction that closes the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from loop.records import Trace
from loop.stages import Stage
from webapp import broker
from webapp.accounts.models import User
from webapp.annotate import alternatives
from webapp.annotate.errors import AnnotateConflict, PayloadInvalid
from webapp.annotate.leased import LIVE, QUEUE, Requests, State
from webapp.annotate.models import AnnotationTask, Assignment, Regeneration, TaskKind, TaskState
from webapp.annotate.payload import text_check
from webapp.annotate.services.claims import lease_lost
from webapp.traces.models import Response
from webapp.traces.services import traces_store

MOST_AT_ONCE = 6  # alternatives of one request
MOST_PER_TASK = 8  # requests of one person for one item
REQUESTS = Requests(Regeneration, "regeneration")


class RegenerationLost(Exception):
    """Cancelled, or another worker has it: what was written must be dropped."""


@transaction.atomic
def regeneration_ask(
    *, user: User, token: UUID, step: int, count: int = 3, corrections: Mapping[int, str] | None = None
) -> Regeneration:
    """Ask the champion for ``count`` other ways to go on from ``step`` of the item's response.

    ``token`` is the asker's own claim, or a lead's view of anyone's. ``corrections`` (step -> text) of
    earlier steps take their place in the prefix. Asked again while it is under way, the same row comes back.

    Raises:
        Assignment.DoesNotExist: no such claim for this person.
        PayloadInvalid: no such step, or a correction that cannot be used.
        AnnotateConflict: lease lost, task withdrawn or answered, no model yet, or asked too often.
    """
    claim = alternatives.claim_for(user, token)
    own = claim.user_id == user.pk
    if own:  # the claim before the task, as everybody locks them
        claim = Assignment.objects.select_for_update(of=("self",)).get(pk=claim.pk)
    # The task's row: two requests at once for one item wait for each other, so that the limits hold.
    task = (
        AnnotationTask.objects.select_for_update(no_key=True, of=("self",))
        .select_related("project", "response")
        .get(pk=claim.task_id)
    )
    if own:
        _still_at_work(claim, task)
    if task.kind != TaskKind.STEP_CRITIQUE or task.response is None:
        raise AnnotateConflict("not_here", "Alternatives can be asked for where steps are judged.")
    fixed = _checked(step, count, corrections or {}, len(task.response.step_spans))
    if task.project.champion_id is None:
        raise AnnotateConflict(
            "no_champion", "This project has no model in use yet, so there is nobody to ask. Write the step."
        )
    mine = Regeneration.objects.filter(task=task, author=user)
    if live := mine.filter(step=step, state__in=LIVE).first():
        return live
    if mine.exclude(state__in=(State.FAILED, State.CANCELLED)).count() >= MOST_PER_TASK:
        raise AnnotateConflict(
            "asked_enough",
            f"You have asked {MOST_PER_TASK} times for this item, as often as one may. Write the step.",
        )
    if own and not claim.shown.get("alternatives"):
        claim.shown["alternatives"] = True  # part of what was on the screen
        claim.save(update_fields=["shown"])
    asked = Regeneration.objects.create(
        project_id=task.project_id,
        task=task,
        author=user,
        response=task.response,
        step=step,
        corrections=fixed,
        count=count,
        model_version_id=task.project.champion_id,
    )
    transaction.on_commit(lambda: broker.announce(QUEUE), robust=True)
    return asked


def _still_at_work(claim: Assignment, task: AnnotationTask) -> None:
    if task.state == TaskState.CLOSED:
        raise AnnotateConflict("task_closed", "This task was withdrawn: the iteration has moved on.")
    if claim.state == Assignment.State.EXPIRED:
        raise lease_lost()
    if claim.state != Assignment.State.ACTIVE and not alternatives.sent_back(claim):
        raise AnnotateConflict("already_answered", "You have already answered or skipped this item.")


def _checked(step: int, count: int, corrections: Mapping[int, str], steps: int) -> dict[str, str]:
    problems = []
    if not 0 <= step < steps:
        problems.append(f"There is no step {step + 1}: the response has {steps}.")
    if not 1 <= count <= MOST_AT_ONCE:
        problems.append(f"Between 1 and {MOST_AT_ONCE} alternatives can be asked for at once, not {count}.")
    problems += [f"Step {i + 1} is not before step {step + 1}." for i in corrections if not 0 <= i < step]
    if problems:
        raise PayloadInvalid(problems)
    fixed = {str(i): text.strip() for i, text in corrections.items() if text.strip()}
    text_check(fixed)
    return fixed


def regeneration_claim(*, base: str | None = None) -> Regeneration | None:
    """The oldest request that waits, or whose worker's lease ran out, claimed; None when there is none.

    ``base``: only for this base model, the one that the asking worker has at hand.
    """
    return REQUESTS.claim(None if base is None else Q(model_version__base=base))


def regeneration_heartbeat(*, pk: UUID, token: UUID, partial: Iterable[str] | None = None) -> bool:
    """Extend the lease and show what is written so far. False: it is not the worker's any more."""
    return REQUESTS.heartbeat(pk=pk, token=token, partial=partial)


@transaction.atomic
def regeneration_finish(*, pk: UUID, token: UUID, trace: Trace) -> None:
    """Store what was written; row, responses and scores commit together.

    Raises:
        RegenerationLost: cancelled, or taken over: nothing is stored.
    """
    row = REQUESTS.held(pk, token, "task__iteration")
    if row is None:
        raise RegenerationLost(f"regeneration {pk} was cancelled or taken over")
    iteration = row.task.iteration
    # Once the iteration has gone on, its material is what it was: then these belong to none.
    collects = iteration is not None and iteration.stage == Stage.ANNOTATE.value
    traces_store(
        traces=[trace],
        iteration_id=row.task.iteration_id if collects else None,
        model_version_id=row.model_version_id,
    )
    Response.objects.filter(pk__in=[r.id for r in trace.responses]).update(regeneration=row)
    REQUESTS.close(row, State.DONE)


def regeneration_fail(*, pk: UUID, token: UUID, error: str) -> None:
    """Record that it cannot be done, in a sentence for the person who waits."""
    REQUESTS.fail(pk=pk, token=token, error=error)


def regeneration_release(*, pk: UUID, token: UUID) -> None:
    """Give it back unfinished (the worker is told to end). It does not count as an attempt."""
    REQUESTS.release(pk=pk, token=token)


@transaction.atomic
def regeneration_cancel(*, user: User, pk: UUID) -> Regeneration:
    """The asker does not want it any more; a worker that writes it stops. Done is done.

    Raises:
        Regeneration.DoesNotExist: not theirs.
    """
    row = Regeneration.objects.select_for_update(of=("self",)).get(pk=pk, author=user)
    if row.state in LIVE:
        REQUESTS.close(row, State.CANCELLED)
    return row


def regenerations_sweep(*, now: datetime) -> int:
    """Close what cannot be done any more, and call again for what still waits. Returns how many wait."""
    # A busy worker looks by itself; the wake-up is for one that missed it.
    waiting = REQUESTS.sweep(now)
    if waiting and not alternatives.worker_busy(now):
        broker.announce(QUEUE)
    return waiting

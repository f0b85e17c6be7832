"""Alternatives from a step on: asked by a person, written by a worker under a lease and a fencing token.

Like a work unit, but for somebody who waits: workers take these rows before batch work and between the
decoding steps of it. The responses are stored in the transaction that closes the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from loop.records import Trace
from loop.stages import Stage
from webapp import broker
from webapp.accounts.models import User
from webapp.annotate import alternatives
from webapp.annotate.errors import AnnotateConflict, PayloadInvalid
from webapp.annotate.models import AnnotationTask, Assignment, Regeneration, TaskKind, TaskState
from webapp.annotate.payload import text_check
from webapp.annotate.services.claims import lease_lost
from webapp.events import notify
from webapp.traces.models import Response
from webapp.traces.services import traces_store

MOST_AT_ONCE = 6  # alternatives of one request
MOST_PER_TASK = 8  # requests of one person for one item
MOST_ATTEMPTS = 3  # a row whose worker died this often is taken for the killer
QUEUE = "model"  # where workers listen
PATIENCE = timedelta(minutes=10)  # a request that nobody took for so long has lost its person
UNHEARD = timedelta(seconds=2)  # after so long the wake-up is sent again

State = Regeneration.State
LIVE = (State.QUEUED, State.RUNNING)


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
    while True:
        now = timezone.now()
        waiting = Regeneration.objects.filter(_free(now))
        if base is not None:
            waiting = waiting.filter(model_version__base=base)
        if not waiting.exists():  # asked four times a second by a busy worker: no transaction, no lock
            return None
        with transaction.atomic():
            row = (
                waiting.select_for_update(skip_locked=True, of=("self",)).order_by("created_at", "id").first()
            )
            if row is None:
                return None
            if row.attempt >= MOST_ATTEMPTS:
                _give_up(row)
                continue
            row.state, row.token, row.attempt = State.RUNNING, uuid4(), row.attempt + 1
            row.lease_until, row.partial = _lease_end(now), []
            row.started_at = row.started_at or now
            row.save(update_fields=["state", "token", "attempt", "lease_until", "partial", "started_at"])
            _tell(row)
            return row


def regeneration_heartbeat(*, pk: UUID, token: UUID, partial: Iterable[str] | None = None) -> bool:
    """Extend the lease and show what is written so far. False: it is not the worker's any more."""
    changes: dict[str, object] = {"lease_until": _lease_end(timezone.now())}
    if partial is not None:
        # A character cut in two decodes to the mark for what cannot be shown; NUL no database text may hold.
        changes["partial"] = [text.replace("\0", "").rstrip("\ufffd") for text in partial]
    held = Regeneration.objects.filter(pk=pk, token=token, state=State.RUNNING)
    if partial is None:
        return bool(held.update(**changes))
    with transaction.atomic():
        going_on = bool(held.update(**changes))
        if going_on:
            _tell(Regeneration(pk=pk, project_id=held.values_list("project_id", flat=True).get()))
    return going_on


@transaction.atomic
def regeneration_finish(*, pk: UUID, token: UUID, trace: Trace) -> None:
    """Store what was written; row, responses and scores commit together.

    Raises:
        RegenerationLost: cancelled, or taken over: nothing is stored.
    """
    row = _held(pk, token)
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
    _close(row, State.DONE)


@transaction.atomic
def regeneration_fail(*, pk: UUID, token: UUID, error: str) -> None:
    """Record that it cannot be done, in a sentence for the person who waits."""
    if row := _held(pk, token):
        _close(row, State.FAILED, error)


def regeneration_release(*, pk: UUID, token: UUID) -> None:
    """Give it back unfinished (the worker is told to end). It does not count as an attempt."""
    Regeneration.objects.filter(pk=pk, token=token, state=State.RUNNING).update(
        state=State.QUEUED, token=None, lease_until=None, attempt=F("attempt") - 1, partial=[]
    )


@transaction.atomic
def regeneration_cancel(*, user: User, pk: UUID) -> Regeneration:
    """The asker does not want it any more; a worker that writes it stops. Done is done.

    Raises:
        Regeneration.DoesNotExist: not theirs.
    """
    row = Regeneration.objects.select_for_update(of=("self",)).get(pk=pk, author=user)
    if row.state in LIVE:
        _close(row, State.CANCELLED)
    return row


def regenerations_sweep(*, now: datetime) -> int:
    """Close what cannot be done any more, and call again for what still waits. Returns how many wait."""
    for row in Regeneration.objects.filter(_hopeless(now)):
        with transaction.atomic():
            again = Regeneration.objects.select_for_update(skip_locked=True, of=("self",))
            if (held := again.filter(_hopeless(now), pk=row.pk).first()) is not None:
                _give_up(held)
    # A busy worker looks by itself; the wake-up is for one that missed it.
    waiting = Regeneration.objects.filter(_free(now), created_at__lt=now - UNHEARD).count()
    if waiting and not alternatives.worker_busy(now):
        broker.announce(QUEUE)
    return waiting


def _free(now: datetime) -> Q:
    # The states are named for the index on rows that wait.
    lapsed = Q(state=State.RUNNING, lease_until__lt=now)
    return Q(state__in=LIVE) & (Q(state=State.QUEUED) | lapsed)


def _hopeless(now: datetime) -> Q:
    died = Q(state=State.RUNNING, lease_until__lt=now, attempt__gte=MOST_ATTEMPTS)
    return Q(state__in=LIVE) & (died | Q(state=State.QUEUED, created_at__lt=now - PATIENCE))


def _give_up(row: Regeneration) -> None:
    if row.state == State.QUEUED:
        minutes = round(PATIENCE.total_seconds() / 60)
        return _close(row, State.FAILED, f"No model worker took this within {minutes} minutes. Ask again.")
    return _close(row, State.FAILED, f"Gave up after {row.attempt} attempts: each worker that took it died.")


def _held(pk: UUID, token: UUID) -> Regeneration | None:
    rows = Regeneration.objects.select_for_update(of=("self",)).select_related("task__iteration")
    return rows.filter(pk=pk, token=token, state=State.RUNNING).first()


def _close(row: Regeneration, state: str, error: str = "") -> None:
    row.state, row.error, row.token, row.lease_until = state, error[:1000], None, None
    row.finished_at = timezone.now()
    row.save(update_fields=["state", "error", "token", "lease_until", "finished_at"])
    _tell(row)


def _lease_end(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.REGENERATION_LEASE)


def _tell(row: Regeneration) -> None:
    notify(project_id=row.project_id, topic=str(row.pk), what="regeneration")

"""Taking answers: checked, fenced, idempotent; answer, history and derived records in one transaction."""

from __future__ import annotations

from math import isnan
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import transaction

from loop.records import Author
from loop.stages import Stage
from webapp.accounts.models import User
from webapp.annotate import selectors
from webapp.annotate.errors import AnnotateConflict
from webapp.annotate.models import (
    Annotation,
    AnnotationRevision,
    AnnotationTask,
    Assignment,
    TaskKind,
    TaskState,
)
from webapp.annotate.payload import payload_clean, text_check
from webapp.annotate.services.claims import assignment_locked, lease_lost
from webapp.annotate.signals import annotation_submitted
from webapp.traces.models import Critique, Preference

MOST_STRENGTH = 3  # the page's scale; stored preferences use 0..1
MOST_SECONDS = 24 * 3600.0  # a clock that was left running is not a measurement


@transaction.atomic
def annotation_submit(
    *,
    user: User,
    assignment_token: UUID,
    submit_key: UUID,
    payload: dict[str, Any],
    outcome: str = Annotation.Outcome.ANSWERED,
    seconds: float | None = None,
    step_seconds: dict[str, float] | None = None,
) -> Annotation:
    """Take an answer. The same ``submit_key`` again returns the first result and changes nothing.

    A claim whose lease ran out still counts while nobody else has taken its slot.

    Raises:
        Assignment.DoesNotExist: not this person's claim.
        PayloadInvalid: the answer does not fit the task.
        AnnotateConflict: lease lost, task withdrawn, answered before, or the key used for another answer.
    """
    assignment = assignment_locked(user, assignment_token)
    if earlier := Annotation.objects.filter(submit_key=submit_key).first():
        if earlier.assignment_id != assignment.pk:
            raise AnnotateConflict("key_reused", "This submit key belongs to another answer; make a new one.")
        return earlier
    if assignment.state in (Assignment.State.SUBMITTED, Assignment.State.RELEASED):
        raise AnnotateConflict("already_answered", "You have already answered or skipped this item.")
    task = AnnotationTask.objects.select_for_update().get(pk=assignment.task_id)
    clean = payload_clean(task=task, outcome=outcome, payload=payload, texts=selectors.task_texts(task))
    text_check(step_seconds or {})
    _slot_use(task, assignment)
    annotation = Annotation.objects.create(
        task=task,
        user=user,
        assignment=assignment,
        submit_key=submit_key,
        outcome=outcome,
        payload=clean,
        guideline_version_id=assignment.guideline_version_id,
        shown=assignment.shown,
        seconds=_plausible(seconds),
        step_seconds={str(k): _plausible(v) for k, v in (step_seconds or {}).items()},
    )
    _revision_write(annotation, user)
    _derived_write(annotation, task)
    assignment.state = Assignment.State.SUBMITTED
    assignment.save(update_fields=["state"])
    # robust: a listener that fails must not turn a stored answer into an error for the annotator
    transaction.on_commit(lambda: _announce(annotation, created=True), robust=True)
    return annotation


def _slot_use(task: AnnotationTask, assignment: Assignment) -> None:
    """Turn the claim's slot into an answer; the task is done when it has as many as were asked for."""
    if task.state == TaskState.CLOSED:
        raise AnnotateConflict("task_closed", "This task was withdrawn: the iteration has moved on.")
    if assignment.state == Assignment.State.EXPIRED:  # its slot went back: take it again, if still there
        if task.open_slots < 1:
            raise lease_lost()
        task.open_slots -= 1
    task.answers += 1
    if task.answers >= task.overlap:
        task.state = TaskState.DONE
    task.save(update_fields=["answers", "open_slots", "state"])


@transaction.atomic
def annotation_revise(
    *, user: User, pk: int, payload: dict[str, Any], outcome: str, revision: int
) -> Annotation:
    """Change one's own answer while its iteration still collects them. Every version is kept.

    ``revision`` is the one the writer saw.

    Raises:
        Annotation.DoesNotExist: not this person's own.
        PayloadInvalid: the answer does not fit the task.
        AnnotateConflict: the iteration has gone on, or the answer has changed meanwhile.
    """
    own = Annotation.objects.filter(pk=pk, user=user, task__project__in=selectors.annotatable(user))
    if not _still_collecting(own.values_list("task__iteration_id", flat=True).get()):
        raise AnnotateConflict("task_closed", "The iteration has gone on: this answer is in its data.")
    annotation = own.select_for_update(of=("self",)).select_related("task__iteration").get()
    task = annotation.task
    if annotation.revision != revision:
        raise AnnotateConflict("revision_conflict", "This answer was changed meanwhile. Reload to see it.")
    clean = payload_clean(task=task, outcome=outcome, payload=payload, texts=selectors.task_texts(task))
    if (clean, outcome) == (annotation.payload, annotation.outcome):
        return annotation
    annotation.payload, annotation.outcome = clean, outcome
    annotation.revision += 1  # the row is locked
    annotation.save(update_fields=["payload", "outcome", "revision"])
    _revision_write(annotation, user)
    _derived_write(annotation, task)
    transaction.on_commit(lambda: _announce(annotation, created=False), robust=True)
    return annotation


def _still_collecting(iteration_id: int | None) -> bool:
    """Whether the iteration still collects answers; it cannot move on before this transaction ends.

    The row is locked as the state machine locks it, and before the answer: else the stage could change
    between this look and the commit, and the new version would miss the data made of the old one. A tick
    that finds the row locked looks away; the announcement of the revision ticks again.
    """
    if iteration_id is None:
        return True
    rows = apps.get_model("iterations", "Iteration")._default_manager.filter(pk=iteration_id)
    stage: str = rows.select_for_update(no_key=True).values_list("stage", flat=True).get()
    return stage == Stage.ANNOTATE.value


def _revision_write(annotation: Annotation, author: User) -> None:
    AnnotationRevision.objects.create(
        annotation=annotation,
        number=annotation.revision,
        payload=annotation.payload,
        outcome=annotation.outcome,
        author=author,
    )


def _derived_write(annotation: Annotation, task: AnnotationTask) -> None:
    """The loop's record of this answer; an answer set aside (bad problem, give up, unsure) leaves none."""
    model: type[Critique | Preference] = Critique if task.kind == TaskKind.STEP_CRITIQUE else Preference
    if annotation.outcome != Annotation.Outcome.ANSWERED:
        model.objects.filter(annotation=annotation).delete()
        return
    answer = annotation.payload
    values: dict[str, Any] = {"author_kind": Author.PERSON.value, "author_id": annotation.user_id}
    if model is Critique:
        values |= {key: answer[key] for key in ("marks", "first_error", "verdict", "comments", "corrections")}
        values["response_id"] = task.response_id
    else:
        values |= {key: answer[key] for key in ("winner", "all_bad", "rationale")}
        values |= {"prompt_id": task.prompt_id, "iteration_id": task.iteration_id}
        values["response_ids"] = task.response_ids
        values["strength"] = answer["strength"] / MOST_STRENGTH
    model.objects.update_or_create(annotation=annotation, defaults=values)


def _plausible(seconds: float | None) -> float | None:
    if seconds is None or isnan(seconds):
        return None
    return round(min(max(seconds, 0.0), MOST_SECONDS), 2)


def _announce(annotation: Annotation, *, created: bool) -> None:
    annotation_submitted.send(sender=Annotation, annotation=annotation, created=created)

"""Taking answers: checked, fenced, idempotent; answer, history and derived records in one transaction."""

from __future__ import annotations

from math import isnan
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import IntegrityError, transaction

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
    DayCount,
    Flag,
    TaskKind,
    TaskPurpose,
    TaskState,
)
from webapp.annotate.payload import payload_clean, text_check
from webapp.annotate.services.claims import assignment_locked, lease_lost
from webapp.annotate.services.inserting import rows_insert
from webapp.annotate.services.standing import standing_refresh
from webapp.annotate.signals import annotation_submitted
from webapp.annotate.statements import row_of
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
    if assignment.state == Assignment.State.SUBMITTED and (earlier := _earlier(assignment, submit_key)):
        return earlier
    if assignment.state in (Assignment.State.SUBMITTED, Assignment.State.RELEASED):
        raise AnnotateConflict("already_answered", "You have already answered or skipped this item.")
    task, beside = selectors.task_locked(assignment.task_id, payload)
    clean = payload_clean(task=task, outcome=outcome, payload=payload, beside=beside)
    text_check(list(step_seconds or {}))
    _slot_use(task, assignment)
    annotation = Annotation(
        task=task,
        user=user,
        assignment=assignment,
        submit_key=submit_key,
        outcome=outcome,
        payload=clean,
        guideline_version_id=assignment.guideline_version_id,
        shown=assignment.shown,
        seconds=seconds_plausible(seconds),
        step_seconds=_of_steps(step_seconds or {}),
    )
    derived = [model(**values) for model, values in _derived(annotation, task) if values is not None]
    try:
        rows_insert(annotation, "annotation", _revision(annotation, user), *derived)
    except IntegrityError as error:
        raise _key_reused() from error
    if task.answers > 1 or task.reviewed:  # else it disagrees with nobody, and waits for the lead
        standing_refresh(task=task, adjudicated=task.adjudicated, save=False)
    if outcome != Annotation.Outcome.ANSWERED:
        _flag_write(annotation, task)
    annotation.day = _settle(annotation, task)
    # robust: a listener that fails must not turn a stored answer into an error for the annotator
    transaction.on_commit(lambda: _announce(annotation, created=True), robust=True)
    return annotation


def _earlier(assignment: Assignment, submit_key: UUID) -> Annotation | None:
    """The answer that this key has brought already: the same submit again, because its reply was lost."""
    earlier = Annotation.objects.filter(submit_key=submit_key).select_related("task").first()
    if earlier and earlier.assignment_id != assignment.pk:
        raise _key_reused()
    return earlier


def _key_reused() -> AnnotateConflict:
    return AnnotateConflict("key_reused", "This submit key belongs to another answer; make a new one.")


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
    asked: Any = selectors.with_iteration(own)
    task_id, iteration_id, purpose = asked.values_list("task_id", "collected_in", "task__purpose").get()
    if not still_collecting(iteration_id, Stage.PROMOTE if purpose == TaskPurpose.GATE else Stage.ANNOTATE):
        raise AnnotateConflict("task_closed", "The iteration has gone on: this answer is in its data.")
    task = AnnotationTask.objects.select_for_update().get(pk=task_id)
    annotation = own.select_for_update(of=("self",)).get()
    annotation.task = task
    if annotation.revision != revision:
        newer = {name: getattr(annotation, name) for name in ("payload", "outcome", "revision")}
        message = "This answer was changed meanwhile. Reload to see it."
        raise AnnotateConflict("revision_conflict", message, {"annotation": newer})
    clean = payload_clean(task=task, outcome=outcome, payload=payload, beside=selectors.beside(task, payload))
    same = (clean, outcome) == (annotation.payload, annotation.outcome)
    back = annotation.state == Annotation.State.SENT_BACK  # giving it again unchanged is an answer, too
    if same and not back:
        return annotation
    if back:
        answer_returned(task)
    annotation.payload, annotation.outcome = clean, outcome
    annotation.revision += not same  # the row is locked
    annotation.state = Annotation.State.SUBMITTED
    annotation.save(update_fields=["payload", "outcome", "revision", "state"])
    if not same:
        _revision(annotation, user).save()
    derived_write(annotation, task)
    standing_refresh(task=task)
    _flag_write(annotation, task)
    transaction.on_commit(lambda: _announce(annotation, created=False), robust=True)
    return annotation


def answer_returned(task: AnnotationTask) -> None:
    """An answer that had been sent back, and so not counted as given, is there again."""
    task.answers += 1
    task.overlap = max(task.overlap, task.answers)  # a final word meanwhile may have made do with fewer
    if task.state == TaskState.OPEN and task.answers >= task.overlap:
        task.state = TaskState.DONE
    task.save(update_fields=["answers", "overlap", "state"])


def still_collecting(iteration_id: int | None, at: Stage = Stage.ANNOTATE) -> bool:
    """Whether the iteration still collects the answers of stage ``at``; it cannot move on before this
    transaction ends.

    The row is locked as the state machine locks it, and before the answer: else the stage could change
    between this look and the commit, and the new version would miss the data made of the old one. A tick
    that finds the row locked looks away; the announcement of the revision ticks again.
    """
    if iteration_id is None:
        return True
    rows = apps.get_model("iterations", "Iteration")._default_manager.filter(pk=iteration_id)
    stage: str = rows.select_for_update(no_key=True).values_list("stage", flat=True).get()
    return stage == at.value


def _revision(annotation: Annotation, author: User) -> AnnotationRevision:
    return AnnotationRevision(
        annotation=annotation,
        number=annotation.revision,
        payload=annotation.payload,
        outcome=annotation.outcome,
        author=author,
    )


def derived_write(annotation: Annotation, task: AnnotationTask) -> None:
    """The loop's record of this answer, brought in step with it."""
    for model, values in _derived(annotation, task):
        if values is not None:
            model._default_manager.update_or_create(annotation=annotation, defaults=values)
        else:
            model._default_manager.filter(annotation=annotation).delete()


def _derived(
    annotation: Annotation, task: AnnotationTask
) -> list[tuple[type[Critique] | type[Preference], dict[str, Any] | None]]:
    """What the answer leaves for the loop, by model.

    Nothing is left by an answer set aside (bad problem, give up, unsure), rejected or sent back, nor by an
    answer to a gold or repeated task: those measure the person and are no votes.
    """
    counts = (
        annotation.outcome == Annotation.Outcome.ANSWERED
        and annotation.state in (Annotation.State.SUBMITTED, Annotation.State.ACCEPTED)
        and task.purpose == TaskPurpose.LABEL
    )
    if not counts:
        return [(Critique, None), (Preference, None)]
    who = {"author_kind": Author.PERSON.value, "author_id": annotation.user_id}
    judgement, comparison = judgement_of(task, annotation.payload), comparison_of(task, annotation.payload)
    return [(Critique, judgement and judgement | who), (Preference, comparison and comparison | who)]


_JUDGEMENT = ("marks", "first_error", "verdict", "comments", "corrections")


def judgement_of(task: AnnotationTask, answer: dict[str, Any]) -> dict[str, Any] | None:
    """The fields of the critique that an answer amounts to, None when it judges no steps."""
    said: dict[str, Any] | None = None
    if task.kind == TaskKind.STEP_CRITIQUE:
        said = answer
    elif task.kind == TaskKind.CRITIQUE_REVIEW and answer["decision"] == "edit":
        said = answer["edited"]
    elif task.kind == TaskKind.CRITIQUE_REVIEW and answer["decision"] == "accept":
        said = Critique.objects.values(*_JUDGEMENT).get(pk=task.critique_ids[0])
    if said is None:
        return None
    branches = said.get("branches", [])
    return {key: said[key] for key in _JUDGEMENT} | {"branches": branches, "response_id": task.response_id}


def comparison_of(task: AnnotationTask, answer: dict[str, Any]) -> dict[str, Any] | None:
    """The fields of the preference that an answer amounts to, None when it compares nothing."""
    prefers = task.kind == TaskKind.CRITIQUE_REVIEW and answer["decision"] == "prefer"
    if task.kind != TaskKind.PREFERENCE and not prefers:
        return None
    return {
        "prompt_id": task.prompt_id,
        "iteration_id": task.iteration_id,
        "response_ids": [task.response_id] if prefers else task.response_ids,
        "critique_ids": task.critique_ids,
        "winner": answer["winner"],
        "ranking": answer.get("ranking", []),
        "all_bad": answer["all_bad"],
        "rationale": answer["reason"] if prefers else answer["rationale"],
        "strength": answer["strength"] / MOST_STRENGTH,
    }


def _flag_write(annotation: Annotation, task: AnnotationTask) -> None:
    """An item set aside goes to the lead's inbox; one that is answered after all leaves it."""
    own = Flag.objects.filter(annotation=annotation).exclude(reason=Flag.Reason.FLAG)
    if annotation.revision > 1:
        own.filter(resolved_at__isnull=True).exclude(reason=annotation.outcome).delete()
    if annotation.outcome == Annotation.Outcome.ANSWERED:
        return
    note = annotation.payload.get("reason", "")
    if not own.filter(reason=annotation.outcome).update(note=note):
        Flag.objects.create(
            project_id=task.project_id,
            task=task,
            annotation=annotation,
            author_id=annotation.user_id,
            reason=annotation.outcome,
            note=note,
        )


_SETTLE = """
WITH claim AS (
    UPDATE annotate_assignment SET state = 'submitted' WHERE id = %(assignment)s
), task AS (
    UPDATE annotate_annotationtask SET answers = %(answers)s, open_slots = %(open_slots)s, state = %(state)s,
        disagreement = %(disagreement)s, reviewed = %(reviewed)s
    WHERE id = %(task)s
)
INSERT INTO annotate_daycount AS c (user_id, project_id, day, answers, seconds)
VALUES (%(user)s, %(project)s, %(day)s, 1, %(seconds)s)
ON CONFLICT (user_id, project_id, day)
DO UPDATE SET answers = c.answers + 1, seconds = c.seconds + excluded.seconds
RETURNING answers, seconds
"""


def _settle(annotation: Annotation, task: AnnotationTask) -> DayCount:
    """The claim has become an answer: claim, task and the person's day say so. Returns the day."""
    day = {
        "user_id": annotation.user_id,
        "project_id": task.project_id,
        "day": annotation.created_at.date(),
    }
    values = {
        "assignment": annotation.assignment_id,
        "answers": task.answers,
        "open_slots": task.open_slots,
        "state": task.state,
        "disagreement": task.disagreement,
        "reviewed": task.reviewed,
        "task": task.pk,
        "user": day["user_id"],
        "project": day["project_id"],
        "day": day["day"],
        "seconds": annotation.seconds or 0.0,
    }
    row = row_of(_SETTLE, values)
    assert row is not None
    answers, seconds = row
    return DayCount(**day, answers=answers, seconds=seconds)


def seconds_plausible(seconds: float | None) -> float | None:
    if seconds is None or isnan(seconds):
        return None
    return round(min(max(seconds, 0.0), MOST_SECONDS), 2)


def _of_steps(seconds: dict[str, float]) -> dict[str, float | None]:
    """Times by step number; what else a client sends under this name is nothing we know."""
    return {
        str(int(k)): seconds_plausible(v)
        for k, v in seconds.items()
        if str(k).isascii() and str(k).isdecimal() and len(str(k)) < 5
    }


def _announce(annotation: Annotation, *, created: bool) -> None:
    annotation_submitted.send(sender=Annotation, annotation=annotation, created=created)

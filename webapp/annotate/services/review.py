"""The lead's word on answers: accept, reject, send back, and the final word on a task.

Votes stay with their authors, unchanged; a final word is a row of its own that stands for all of them.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from loop.records import Author
from webapp.accounts.models import User
from webapp.annotate import selectors
from webapp.annotate.errors import AnnotateConflict, PayloadInvalid
from webapp.annotate.models import (
    Adjudication,
    Annotation,
    AnnotationTask,
    ReviewNote,
    TaskPurpose,
    TaskState,
)
from webapp.annotate.payload import payload_clean, text_check
from webapp.annotate.services.answers import (
    answer_returned,
    comparison_of,
    derived_write,
    judgement_of,
    still_collecting,
)
from webapp.annotate.services.standing import standing_refresh
from webapp.projects.models import Project
from webapp.projects.services import audit_record
from webapp.traces.models import Critique, Preference

State = Annotation.State
AT_ONCE = 5000


def in_its_data() -> AnnotateConflict:
    return AnnotateConflict(
        "task_closed",
        "The iteration has gone on and its data is made of these answers, so they stay as they are.",
    )


@transaction.atomic
def adjudicate(
    *,
    by: User,
    task: AnnotationTask,
    payload: dict[str, Any],
    outcome: str = Annotation.Outcome.ANSWERED,
    based_on: int | None = None,
    note: str = "",
    revision: int = 0,
) -> Adjudication:
    """Give, or change, the final word on a task; curation then uses it alone. Nobody else is asked any more.

    ``revision`` is the one this writer saw, 0 for none; ``based_on`` the answer (of this task) it started
    from. The same word again changes nothing. Earlier versions stay in the audit log.

    Raises:
        PayloadInvalid: the answer does not fit the task.
        AnnotateConflict: the iteration has gone on, or somebody else adjudicated meanwhile.
    """
    task = _task_locked(task.pk)
    if task.purpose != TaskPurpose.LABEL:
        raise AnnotateConflict(
            "task_closed", "This task measures the people who answer it; it gets no final word."
        )
    text_check(note)
    clean = payload_clean(task=task, outcome=outcome, payload=payload, beside=selectors.beside(task, payload))
    base = task.annotations.filter(pk=based_on).first() if based_on else None
    found = Adjudication.objects.filter(task=task).first()
    if (found.revision if found else 0) != revision:
        raise AnnotateConflict("revision_conflict", "Somebody else adjudicated this meanwhile. Look again.")
    word = {"outcome": outcome, "payload": clean, "note": note.strip(), "based_on": base}
    if found and all(getattr(found, name) == value for name, value in word.items()):
        return found
    before = {"outcome": found.outcome, "payload": found.payload, "note": found.note} if found else None
    made = found or Adjudication(task=task, revision=0)
    for name, value in word.items():
        setattr(made, name, value)
    made.author, made.revision = by, made.revision + 1
    made.save()
    _final_write(made, task)
    _settle(task)
    audit_record(
        project=task.project,
        actor=by,
        verb="adjudicated",
        target=f"task {task.pk}",
        data={
            "task": task.pk,
            "revision": made.revision,
            "before": before,
            "after": {"outcome": outcome, "payload": clean, "note": made.note},
        },
    )
    return made


def _task_locked(pk: int) -> AnnotationTask:
    """The task, its iteration and itself locked in this order, while answers may still change.

    Raises:
        AnnotateConflict: the iteration has gone on.
    """
    if not still_collecting(AnnotationTask.objects.values_list("iteration_id", flat=True).get(pk=pk)):
        raise in_its_data()
    return AnnotationTask.objects.select_for_update(of=("self",)).select_related("project").get(pk=pk)


def _final_write(made: Adjudication, task: AnnotationTask) -> None:
    """The loop's record of the final word; none for an item set aside, whose votes count no more either."""
    counts = made.outcome == Annotation.Outcome.ANSWERED
    who = {"author_kind": Author.PERSON.value, "author_id": made.author_id, "final": True}
    judgement = judgement_of(task, made.payload) if counts else None
    comparison = comparison_of(task, made.payload) if counts else None
    for model, values in ((Critique, judgement), (Preference, comparison)):
        if values is not None:
            model._default_manager.update_or_create(adjudication=made, defaults=values | who)
        else:
            model._default_manager.filter(adjudication=made).delete()


def _settle(task: AnnotationTask) -> None:
    """No more answers are asked for; who is at it now may still hand theirs in."""
    if task.state == TaskState.OPEN:
        task.state, task.open_slots, task.overlap = TaskState.DONE, 0, max(task.answers, 1)
    task.reviewed = True
    task.save(update_fields=["state", "open_slots", "overlap", "reviewed"])


@transaction.atomic
def answers_accept(*, by: User, answers: QuerySet[Annotation], note: str = "") -> int:
    """Accept submitted answers; returns how many. One audit event for all of them.

    Left alone: answers of an iteration that has gone on, answers that were sent back, and those a lead has
    accepted before. A rejected answer counts again.
    """
    text_check(note)
    open_only = answers.filter(state__in=[State.SUBMITTED, State.REJECTED]).filter(
        Q(task__iteration=None) | Q(task__iteration__stage="annotate")
    )
    total = 0
    pks = list(open_only.order_by("task_id", "pk").values_list("pk", flat=True))
    for start in range(0, len(pks), AT_ONCE):
        total += _accept_some(by, pks[start : start + AT_ONCE], note.strip())
    return total


def _accept_some(by: User, pks: list[int], note: str) -> int:
    """Only keys and states are read: a click may accept a hundred thousand answers."""
    rows = Annotation.objects.filter(pk__in=pks)
    iterations = set(rows.values_list("task__iteration_id", flat=True))
    collecting = [pk for pk in sorted(iterations - {None}) if still_collecting(pk)]
    rows = rows.filter(Q(task__iteration=None) | Q(task__iteration__in=collecting))
    task_ids = list(rows.values_list("task_id", flat=True).distinct())
    tasks = AnnotationTask.objects.filter(pk__in=task_ids).order_by("pk").select_for_update(no_key=True)
    projects = dict(tasks.values_list("pk", "project_id"))
    waiting = rows.filter(state__in=[State.SUBMITTED, State.REJECTED]).select_for_update(of=("self",))
    found = list(waiting.values_list("pk", "task_id", "state"))
    if not found:
        return 0
    rejected = [pk for pk, _, state in found if state == State.REJECTED]
    Annotation.objects.filter(pk__in=[pk for pk, *_ in found]).update(
        state=State.ACCEPTED, reviewed_by=by, reviewed_at=timezone.now()
    )
    # Without words the answer's own state says it all; a rejection is never left standing alone.
    noted = [pk for pk, *_ in found] if note else rejected
    ReviewNote.objects.bulk_create(
        [ReviewNote(annotation_id=pk, author=by, action="accepted", text=note) for pk in noted],
        batch_size=1000,
    )
    again = _count_again(rejected)
    rest = AnnotationTask.objects.filter(pk__in=set(projects) - again, disagreement=0)
    left = Annotation.objects.filter(task_id__in=projects, state=State.SUBMITTED).values("task_id")
    rest.exclude(pk__in=left).update(reviewed=True)
    for project in Project.objects.filter(pk__in=set(projects.values())):
        mine = [pk for pk, task, _ in found if projects[task] == project.pk]
        audit_record(
            project=project,
            actor=by,
            verb="answers accepted",
            target=f"{len(mine)} answers" if len(mine) > 1 else f"answer {mine[0]}",
            data={"answers": mine, "note": note},
        )
    return len(found)


def _count_again(rejected: list[int]) -> set[int]:
    """Give answers that were rejected their records back; returns their tasks, whose disagreement changes."""
    answers = Annotation.objects.filter(pk__in=rejected).select_related("task")
    for answer in answers:
        derived_write(answer, answer.task)
        standing_refresh(task=answer.task)
    return {answer.task_id for answer in answers}


@transaction.atomic
def answer_reject(*, by: User, annotation: Annotation, note: str = "") -> Annotation:
    """This answer counts for nothing; it stays to be read, with the note.

    Raises:
        AnnotateConflict: the iteration has gone on.
    """
    return _turn_down(by, annotation, State.REJECTED, note, "answer rejected")


@transaction.atomic
def answer_send_back(*, by: User, annotation: Annotation, note: str) -> Annotation:
    """Ask the author to look again; until then the answer counts for nothing and the task stays open.

    Raises:
        PayloadInvalid: without a note: the author would not know what to look for.
        AnnotateConflict: the iteration has gone on.
    """
    if not note.strip():
        raise PayloadInvalid(["Say what to look at again: the author reads this note."])
    return _turn_down(by, annotation, State.SENT_BACK, note, "answer sent back")


def _turn_down(by: User, annotation: Annotation, to: str, note: str, verb: str) -> Annotation:
    text_check(note)
    task = _task_locked(annotation.task_id)
    answer = Annotation.objects.select_for_update(of=("self",)).get(pk=annotation.pk, task=task)
    if answer.state != to:
        _reopen(task, answer, to)
        answer.state = to
    answer.reviewed_by, answer.reviewed_at = by, timezone.now()
    answer.save(update_fields=["state", "reviewed_by", "reviewed_at"])
    for model in (Critique, Preference):
        model._default_manager.filter(annotation=answer).delete()
    ReviewNote.objects.create(annotation=answer, author=by, action=to, text=note.strip())
    standing_refresh(task=task)
    audit_record(
        project=task.project,
        actor=by,
        verb=verb,
        target=f"answer {answer.pk}",
        data={"answer": answer.pk, "task": task.pk, "note": note.strip()},
    )
    return answer


def _reopen(task: AnnotationTask, answer: Annotation, to: str) -> None:
    """A task waits for an answer that was sent back: it is counted as given only once it comes again."""
    if answer.state == State.SENT_BACK:
        answer_returned(task)
    elif to == State.SENT_BACK:
        task.answers -= 1
        if task.state == TaskState.DONE:
            task.state = TaskState.OPEN
        task.save(update_fields=["answers", "state"])

"""Tasks whose answer is known: made from answers and final words, and compared with what people say."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from webapp.accounts.models import User
from webapp.annotate.models import Adjudication, Annotation, AnnotationTask, TaskKind, TaskPurpose
from webapp.annotate.services.choosing import GOLD_SLOTS
from webapp.annotate.services.queues import QueueRefused
from webapp.projects.services.setup import audit_record


@transaction.atomic
def gold_make(
    *, by: User | None, task: AnnotationTask | None = None, annotation: Annotation | None = None
) -> AnnotationTask:
    """A copy of a task whose answer is known: this answer, or the final word on the task.

    The task itself stays as it is. Making it gold once more replaces the known answer.

    Raises:
        QueueRefused: the item was set aside, or there is no final word yet.
    """
    source = annotation or Adjudication.objects.filter(task=task).select_related("task__project").first()
    if source is None:
        raise QueueRefused(["There is no final word on this task yet: adjudicate it, or choose an answer."])
    if source.outcome != Annotation.Outcome.ANSWERED:
        raise QueueRefused(["This item was set aside, so there is no answer to know."])
    of = source.task
    if of.purpose == TaskPurpose.REPEAT:
        raise QueueRefused(["This is a repeat of another task; make that one gold."])
    if of.purpose == TaskPurpose.GOLD:
        gold = of
    else:
        known = AnnotationTask.objects.filter(
            project_id=of.project_id, kind=of.kind, purpose=TaskPurpose.GOLD
        )
        gold = known.filter(meta__gold_of=of.pk).first() or AnnotationTask(
            project_id=of.project_id,
            kind=of.kind,
            prompt_id=of.prompt_id,
            response_id=of.response_id,
            response_ids=of.response_ids,
            critique_ids=of.critique_ids,
            purpose=TaskPurpose.GOLD,
            overlap=GOLD_SLOTS,
            open_slots=GOLD_SLOTS,
            show_model_critique=of.show_model_critique,
            show_reference=of.show_reference,
            meta={"gold_of": of.pk},
        )
    gold.gold = source.payload
    gold.save()
    audit_record(
        project=of.project, actor=by, verb="gold made", target=f"task {of.pk}", data={"gold": gold.pk}
    )
    return gold


def gold_check(kind: str, known: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """How an answer compares with the known one, for the person who gave it: agrees, expected, words.

    A critique agrees when verdict and first error do, a preference when the winner does (or both say that
    all are bad), a review when the decision does, and where two are compared the winner.
    """
    keys = {
        TaskKind.STEP_CRITIQUE: ("verdict", "first_error"),
        TaskKind.PREFERENCE: ("winner", "all_bad"),
        TaskKind.CRITIQUE_REVIEW: ("decision", "winner", "all_bad"),
    }[TaskKind(kind)]
    agrees = all(known.get(key) == given.get(key) for key in keys)
    words = "Your answer agrees with the known one." if agrees else _GOLD_WORDS[TaskKind(kind)](known)
    return {"agrees": agrees, "expected": known, "words": words}


def _critique_words(known: dict[str, Any]) -> str:
    first = known.get("first_error")
    if first is not None:
        return f"The first error is in step {first + 1}."
    return {"right": "The solution is right.", "wrong": "The solution is wrong, though no step is."}.get(
        known.get("verdict", ""), "Whether the solution is right cannot be told."
    )


def _winner_words(known: dict[str, Any], what: str) -> str:
    if known.get("all_bad"):
        return f"None of the {what}s is good."
    winner = known.get("winner")
    return f"The {what}s are equally good." if winner is None else f"Another {what} is the better one."


def _review_words(known: dict[str, Any]) -> str:
    if known.get("decision") == "prefer":
        return _winner_words(known, "critique")
    words = {"accept": "right", "reject": "wrong", "edit": "right in part: it needs editing"}
    return f"The critique is {words[known['decision']]}."


_GOLD_WORDS = {
    TaskKind.STEP_CRITIQUE: _critique_words,
    TaskKind.PREFERENCE: lambda known: _winner_words(known, "response"),
    TaskKind.CRITIQUE_REVIEW: _review_words,
}

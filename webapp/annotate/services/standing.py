"""Where a task stands with the lead: how far its answers disagree, and whether any waits to be looked at."""

from __future__ import annotations

from webapp.annotate.models import Adjudication, Annotation, AnnotationTask, TaskPurpose
from webapp.annotate.votes import disagreement, judgement

State = Annotation.State


def standing_refresh(*, task: AnnotationTask, adjudicated: bool | None = None, save: bool = True) -> None:
    """Set ``disagreement`` and ``reviewed`` of a task whose row is locked, from its answers.

    Answers rejected or sent back say nothing. A disagreement waits for a final word even when every answer
    was accepted: an open tie trains nothing. ``adjudicated``: whether the task has a final word, if known.
    """
    answers = Annotation.objects.filter(task=task).values_list("outcome", "payload", "state")
    counted = [a for a in answers if a[2] in (State.SUBMITTED, State.ACCEPTED)]
    measured = task.purpose == TaskPurpose.LABEL  # gold and repeats measure the person: nothing to settle
    task.disagreement = disagreement(judgement(task.kind, o, p) for o, p, _ in counted) if measured else 0.0
    waiting = task.disagreement > 0 or any(state == State.SUBMITTED for _, _, state in counted)
    if waiting and adjudicated is None:
        adjudicated = Adjudication.objects.filter(task=task).exists()
    task.reviewed = not waiting or bool(adjudicated)
    if save:
        task.save(update_fields=["disagreement", "reviewed"])

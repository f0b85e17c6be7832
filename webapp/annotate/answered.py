"""What a person is told when an answer has been taken: their day so far, and how a gold item went."""

from __future__ import annotations

from typing import Any

from webapp.annotate.items import today_shown
from webapp.annotate.models import Annotation, DayCount, TaskPurpose
from webapp.annotate.selectors import queue_of
from webapp.annotate.services import gold_check


def answered(annotation: Annotation) -> dict[str, Any]:
    """``today`` and ``gold`` of a submit's reply.

    ``gold`` is null unless the item was gold, answered, and its queue tells at once: a person who is told
    nothing cannot tell a gold item from any other.
    """
    task = annotation.task
    queue = getattr(task, "queue", None) or queue_of(task.project_id, task.kind)
    day = (
        getattr(annotation, "day", None)
        or DayCount.objects.filter(
            user_id=annotation.user_id, project_id=task.project_id, day=annotation.created_at.date()
        ).first()
    )
    told = (
        task.purpose == TaskPurpose.GOLD
        and queue.gold_feedback == "immediate"
        and annotation.outcome == Annotation.Outcome.ANSWERED
    )
    figures = {"answers": day.answers, "seconds": day.seconds} if day else None
    return {
        "gold": gold_check(task.kind, task.gold or {}, annotation.payload) if told else None,
        "today": today_shown(figures, queue.daily_quota),
    }

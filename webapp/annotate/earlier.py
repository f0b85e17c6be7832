"""An own earlier answer, opened again: the item as it was shown, with what the lead said about it."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from webapp.accounts.models import User
from webapp.annotate.items import item_of
from webapp.annotate.models import Annotation, Assignment, ReviewNote
from webapp.projects.models import Project


def answer_for(user: User, project: Project, pk: int) -> Annotation:
    """The person's own answer, with what its page shows.

    Raises:
        Annotation.DoesNotExist: unknown or someone else's.
    """
    return Annotation.objects.select_related("assignment").get(pk=pk, user=user, task__project=project)


def item_of_answer(annotation: Annotation) -> dict[str, Any]:
    """The item of `items.item_of` with ``returned``: the answer and the notes on it, newest last."""
    item = item_of(_claim_of(annotation))
    notes = annotation.notes.select_related("author").order_by("id")
    item["returned"] = {
        "annotation": annotation.pk,
        "revision": annotation.revision,
        "payload": annotation.payload,
        "outcome": annotation.outcome,
        "notes": [_note(note) for note in notes],
    }
    return item


def _note(note: ReviewNote) -> dict[str, Any]:
    return {"author": str(note.author), "text": note.text or note.get_action_display(), "at": note.created_at}


def _claim_of(annotation: Annotation) -> Assignment:
    """The claim it was given under; an answer that came by import never had one, so it is made up."""
    return annotation.assignment or Assignment(
        task_id=annotation.task_id,
        user_id=annotation.user_id,
        order=annotation.shown.get("order", []),
        shown=annotation.shown,
        guideline_version_id=annotation.guideline_version_id,
        lease_until=timezone.now(),
    )

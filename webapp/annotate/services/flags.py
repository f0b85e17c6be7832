"""The lead's inbox: flags raised beside an item, and what was done about them."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import User
from webapp.annotate import selectors
from webapp.annotate.errors import PayloadInvalid
from webapp.annotate.models import Annotation, AnnotationTask, Assignment, Flag, TaskState
from webapp.annotate.payload import text_check
from webapp.projects.services import audit_record

MOST_NOTE = 2000


@transaction.atomic
def flag_raise(*, user: User, token: UUID, note: str) -> Flag:
    """Tell the lead something about an item, beside the answer. The same note again changes nothing.

    Raises:
        Assignment.DoesNotExist: not this person's claim.
        PayloadInvalid: no note, or one that is too long.
    """
    note = note.strip()
    if not note:
        raise PayloadInvalid(["Say what the lead should know."])
    if len(note) > MOST_NOTE:
        raise PayloadInvalid([f"A note may have at most {MOST_NOTE} characters."])
    text_check(note)
    assignment = Assignment.objects.select_for_update(of=("self",)).select_related("task").get(
        token=token, user=user, task__project__in=selectors.annotatable(user)
    )  # fmt: skip
    answer = Annotation.objects.filter(assignment=assignment).first()
    flag, _made = Flag.objects.get_or_create(
        task=assignment.task,
        author=user,
        reason=Flag.Reason.FLAG,
        note=note,
        resolved_at=None,
        defaults={"project_id": assignment.task.project_id, "annotation": answer},
    )
    return flag


@transaction.atomic
def flag_resolve(*, by: User, flag: Flag, resolution: str = "", close: bool = False) -> Flag:
    """Take a flag out of the inbox, with a word on what was done; ``close`` withdraws its task, too.

    Resolving it once more changes nothing.

    Raises:
        PayloadInvalid: a text that cannot be stored.
    """
    text_check(resolution)
    tasks = AnnotationTask.objects.select_for_update(of=("self",)).select_related("project")
    task = tasks.get(pk=flag.task_id)
    flag = Flag.objects.select_for_update(of=("self",)).get(pk=flag.pk)
    if flag.resolved_at is not None:
        return flag
    closed = close and task.state == TaskState.OPEN
    if closed:
        task.state = TaskState.CLOSED
        task.save(update_fields=["state"])
    flag.resolved_by, flag.resolved_at = by, timezone.now()
    flag.resolution = resolution.strip()[:MOST_NOTE]
    flag.save(update_fields=["resolved_by", "resolved_at", "resolution"])
    audit_record(
        project=task.project,
        actor=by,
        verb="flag resolved",
        target=f"task {task.pk}",
        data={"flag": flag.pk, "reason": flag.reason, "resolution": flag.resolution, "closed": closed},
    )
    return flag

"""How a queue is run: its settings, where people stand in it, and whom a task is for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, Self

from django.db import transaction
from django.db.models import Count
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from loop.annotate.order import policy_names
from webapp.accounts.models import User
from webapp.annotate.models import (
    Annotation,
    AnnotationTask,
    Assignment,
    Invitation,
    Queue,
    QueueCursor,
    TaskKind,
    TaskPurpose,
    TaskState,
)
from webapp.annotate.services.choosing import MOST_REPEAT_AFTER
from webapp.projects.models import Project, Role
from webapp.projects.permissions import RANK
from webapp.projects.services.setup import audit_record

Share = Annotated[float, Field(ge=0, le=1)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class QueueRefused(ValueError):
    """A change of a queue that cannot be. ``problems``: one plain sentence per fault."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class Criterion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    key: Key
    label: Word
    kind: Literal["rating", "yesno"]
    help: Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)] = ""


class QueueSettings(BaseModel):
    """What can be set, and within which bounds. Fields: `webapp.annotate.models.Queue`."""

    model_config = ConfigDict(extra="forbid")

    order: str
    control_share: Share
    overlap: Annotated[int, Field(ge=1, le=100)]
    show_model_critique: bool
    show_reference: bool
    withhold_share: Share
    daily_quota: Annotated[int, Field(ge=1, le=100_000)] | None
    gold_share: Share
    gold_feedback: Literal["hidden", "immediate"]
    repeat_share: Share
    repeat_after: Annotated[int, Field(ge=1, le=MOST_REPEAT_AFTER)]
    error_kinds: Annotated[list[Word], Field(max_length=40)]
    criteria: Annotated[list[Criterion], Field(max_length=20)]

    @field_validator("order")
    @classmethod
    def _a_policy(cls, name: str) -> str:
        if name not in policy_names():
            raise ValueError(f"there is no order {name!r}; there are: {', '.join(policy_names())}")
        return name

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.gold_share + self.repeat_share > 1:
            raise ValueError("gold items and repeats together cannot be more than all items")
        for name, keys in (
            ("kind of error", self.error_kinds),
            ("criterion", [c.key for c in self.criteria]),
        ):
            if len(set(keys)) < len(keys):
                raise ValueError(f"there is a {name} twice")
        return self


@transaction.atomic
def queue_set(*, project: Project, kind: str, by: User | None, **settings: Any) -> Queue:
    """Change settings of a queue, which is made where there is none. What is not named stays.

    ``order`` holds for a later `queue_reorder`; overlap and visibility for tasks made from now on.

    Raises:
        QueueRefused: a setting that does not exist or a value that cannot be.
    """
    queue, _ = Queue.objects.get_or_create(project=project, kind=TaskKind(kind))
    queue = Queue.objects.select_for_update().get(pk=queue.pk)
    before = {name: getattr(queue, name) for name in QueueSettings.model_fields}
    try:
        after = QueueSettings.model_validate(before | settings).model_dump()
    except ValidationError as error:
        raise QueueRefused([_sentence(fault) for fault in error.errors()]) from error
    changed = {name: value for name, value in after.items() if value != before[name]}
    if not changed:
        return queue
    for name, value in changed.items():
        setattr(queue, name, value)
    queue.save(update_fields=list(changed))
    was = {name: before[name] for name in changed}
    audit_record(
        project=project,
        actor=by,
        verb="queue changed",
        target=queue.kind,
        data={"before": was, "after": changed},
    )
    return queue


def _sentence(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{where}: {message}." if where else f"{message[:1].upper()}{message[1:]}."


def cursors_forget(*, project_id: int, kind: str, above: float | None = None) -> None:
    """People look through a queue from its start again: tasks came that may lie behind where they are.

    ``above``: the highest priority of what came, when its ids are the newest of their priority. Those who
    have not got past that priority meet the new tasks as they go on, and are left where they are.
    """
    cursors = QueueCursor.objects.filter(project_id=project_id, kind=kind)
    (cursors if above is None else cursors.filter(priority__lt=above)).delete()


# ----------------------------------------------------------------------------------------- named people
@transaction.atomic
def tasks_invite(*, project: Project, by: User | None, task_ids: Iterable[int], users: Sequence[User]) -> int:
    """Ask these people, and only them, to answer the tasks: one answer of each.

    Without users the tasks are for everybody again. Tasks that are not open (or gold, or repeats) are left
    alone, and so is who had a task before. Returns how many tasks changed.

    Raises:
        QueueRefused: somebody who may not annotate in the project.
    """
    _refuse_outsiders(project, users)
    tasks = AnnotationTask.objects.filter(
        project=project, pk__in=list(task_ids), purpose=TaskPurpose.LABEL, state=TaskState.OPEN
    )
    held = list(tasks.order_by("id").select_for_update(no_key=True))
    taken = dict(
        Assignment.objects.filter(task__in=held, state=Assignment.State.ACTIVE)
        .order_by()
        .values_list("task_id")
        .annotate(n=Count("id"))
    )
    had = set(Assignment.objects.filter(task__in=held, user__in=users).values_list("task_id", "user_id"))
    invitations = [
        Invitation(task=task, user=user) for task in held for user in users if (task.pk, user.pk) not in had
    ]
    Invitation.objects.filter(task__in=held, taken=False).exclude(user__in=users).delete()
    Invitation.objects.bulk_create(invitations, ignore_conflicts=True, batch_size=1000)
    waiting = dict(
        Invitation.objects.filter(task__in=held, taken=False)
        .order_by()
        .values_list("task_id")
        .annotate(n=Count("id"))
    )
    back = dict(  # their authors give them again: no slot is free for those
        Annotation.objects.filter(task__in=held, state=Annotation.State.SENT_BACK)
        .order_by()
        .values_list("task_id")
        .annotate(n=Count("id"))
    )
    kinds = {task.kind: Queue.objects.filter(project=project, kind=task.kind).first() for task in held}
    for task in held:
        used = task.answers + taken.get(task.pk, 0) + back.get(task.pk, 0)
        queue = kinds[task.kind]
        wanted = used + waiting.get(task.pk, 0) if users else max(used, queue.overlap if queue else 1)
        task.named, task.requeued = bool(users), not users
        task.overlap, task.open_slots = max(wanted, 1), max(wanted, 1) - used
        if task.answers >= task.overlap:  # nobody is left to be asked: an open task would hold the iteration
            task.state = TaskState.DONE
    AnnotationTask.objects.bulk_update(
        held, ["named", "requeued", "overlap", "open_slots", "state"], batch_size=1000
    )
    data = {"tasks": [task.pk for task in held], "people": [user.username for user in users]}
    audit_record(project=project, actor=by, verb="people invited", target=f"{len(held)} tasks", data=data)
    return len(held)


def _refuse_outsiders(project: Project, users: Sequence[User]) -> None:
    may = [role for role, rank in RANK.items() if rank >= RANK[Role.ANNOTATOR]]
    members = set(project.memberships.filter(role__in=may, user__in=users).values_list("user_id", flat=True))
    outside = [user.username for user in users if user.pk not in members and not user.is_superuser]
    if outside:
        raise QueueRefused(
            [f"{', '.join(outside)} may not annotate in {project.name}: change the role first."]
        )

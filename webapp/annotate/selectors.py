"""What may be read, by whom. Looking up a person's work takes the person: that is the access check."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.cache import cache
from django.db.models import Case, F, OuterRef, Q, QuerySet, Subquery, Sum, When
from django.db.models.functions import Coalesce, NullIf
from django.utils import timezone

from loop.records import Author
from webapp.accounts.models import User
from webapp.annotate.models import (
    Annotation,
    AnnotationTask,
    Assignment,
    DayCount,
    Queue,
    TaskKind,
    TaskPurpose,
    TaskState,
)
from webapp.annotate.payload import Beside
from webapp.annotate.statements import columns_of, instance_of, row_of
from webapp.projects.models import Project, Role
from webapp.traces.models import Critique, Response

if TYPE_CHECKING:  # iterations lie above annotate
    from webapp.iterations.models import Iteration

MAY_ANNOTATE = (Role.ADMIN, Role.LEAD, Role.ANNOTATOR)


def annotatable(user: User) -> QuerySet[Project]:
    """The projects in which this person may annotate: annotators, leads, administrators, superusers."""
    if user.is_superuser:
        return Project.objects.all()
    return Project.objects.filter(memberships__user=user, memberships__role__in=MAY_ANNOTATE)


def assignment_for(user: User, token: UUID) -> Assignment:
    """This person's claim, with task, prompt and guidelines at hand.

    Raises:
        Assignment.DoesNotExist: not theirs, unknown, or no longer a member who may annotate.
    """
    return Assignment.objects.select_related(
        "task__project", "task__prompt", "task__iteration", "guideline_version", "draft"
    ).get(token=token, user=user, task__project__in=annotatable(user))


def tasks_open(iteration: Iteration | int, purpose: str = TaskPurpose.LABEL) -> bool:
    """Whether any task of the iteration (or of the one with this key) still wants an answer."""
    tasks = AnnotationTask.objects.filter(iteration=iteration, purpose=purpose)
    return tasks.filter(state=TaskState.OPEN).exists()


def gate_tasks_exist(iteration: Iteration) -> bool:
    """Whether people were asked to compare the iteration's models blindly."""
    return AnnotationTask.objects.filter(iteration=iteration, purpose=TaskPurpose.GATE).exists()


def gate_choices(iteration: Iteration) -> tuple[int, list[tuple[int, UUID | None]]]:
    """How many pairs were asked about, and (task, chosen response or None for a tie) of every answer.

    What was set aside, rejected or sent back is no answer.
    """
    tasks = AnnotationTask.objects.filter(iteration=iteration, purpose=TaskPurpose.GATE)
    given = Annotation.objects.filter(
        task__in=tasks,
        outcome=Annotation.Outcome.ANSWERED,
        state__in=[Annotation.State.SUBMITTED, Annotation.State.ACCEPTED],
    ).order_by("id")
    chosen = []
    for task, ids, payload in given.values_list("task_id", "task__response_ids", "payload"):
        winner = payload["winner"]
        chosen.append((task, None if winner is None else ids[winner]))
    return tasks.count(), chosen


def iteration_progress(iteration: Iteration, purpose: str = TaskPurpose.LABEL) -> tuple[int, int]:
    """Answers given and answers wanted. A closed task wants no more than it got."""
    return iteration_asked(iteration).get(str(purpose), (0, 0))


def iteration_asked(iteration: Iteration) -> dict[str, tuple[int, int]]:
    """`iteration_progress` of every purpose that has tasks; one query."""
    tasks = AnnotationTask.objects.filter(iteration=iteration).order_by().values("purpose")
    sums = tasks.annotate(
        given=Sum("answers", default=0),
        open=Sum("overlap", filter=~Q(state=TaskState.CLOSED), default=0),
        closed=Sum("answers", filter=Q(state=TaskState.CLOSED), default=0),
    )
    return {row["purpose"]: (row["given"], row["open"] + row["closed"]) for row in sums}


COUNTED = 20  # tasks that wait for one person; of more, an estimate for the project says how many
MOST_COUNTED = 1000
_ESTIMATE_SECONDS = 10

_QUEUED = """t.project_id = q.project_id AND t.kind = q.kind AND t.state = 'open' AND t.open_slots > 0
    AND t.purpose = 'label' AND NOT t.named"""
_NOT_HAD = """NOT EXISTS (
    SELECT 1 FROM annotate_assignment a WHERE a.task_id = t.id AND a.user_id = %(user)s OFFSET 0)"""
_OWN_CURSOR = "c.user_id = %(user)s AND c.project_id = q.project_id AND c.kind = q.kind"
_WAITING = f"""
SELECT count(*) FROM (
    SELECT 1 FROM annotate_queue q
    LEFT JOIN annotate_queuecursor c ON {_OWN_CURSOR}
    CROSS JOIN LATERAL (
        SELECT 1 FROM annotate_annotationtask t
        WHERE {_QUEUED} AND {_NOT_HAD}
            AND (t.priority * -1, t.id) > (coalesce(c.priority * -1, '-Infinity'), coalesce(c.task_id, 0))
        LIMIT %(most)s
    ) ahead WHERE q.project_id = %(project)s
    UNION ALL (
        SELECT 1 FROM annotate_queue q
        JOIN annotate_queuecursor c ON {_OWN_CURSOR}
        JOIN annotate_annotationtask t ON {_QUEUED} AND t.requeued AND {_NOT_HAD}
            AND (t.priority * -1, t.id) <= (c.priority * -1, c.task_id)
        WHERE q.project_id = %(project)s LIMIT %(most)s)
    UNION ALL (
        SELECT 1 FROM annotate_invitation i JOIN annotate_annotationtask t ON t.id = i.task_id
        WHERE i.user_id = %(user)s AND NOT i.taken AND t.project_id = %(project)s AND t.state = 'open'
            AND t.named AND t.open_slots > 0 LIMIT %(most)s)
    UNION ALL (
        SELECT 1 FROM annotate_annotationtask t
        WHERE t.project_id = %(project)s AND t.state = 'open' AND t.open_slots > 0 AND t.purpose = 'gate'
            AND {_NOT_HAD} LIMIT %(most)s)
    LIMIT %(most)s
) waiting
"""  # noqa: S608  (text of this module only)


def tasks_waiting_count(*, project: Project, user: User) -> int:
    """How many tasks wait for this person: counted up to 20, of more an estimate, up to 1000.

    The estimate is how many of the project's tasks are open, whoever had them, some seconds ago. So the
    figure costs the same whatever lies in the queue.
    """
    row = row_of(_WAITING, {"user": user.pk, "project": project.pk, "most": COUNTED})
    counted = int(row[0]) if row else 0
    if counted < COUNTED:
        return counted
    estimate = cache.get_or_set(
        f"tasks-open-{project.pk}", lambda: _open_count(project), timeout=_ESTIMATE_SECONDS
    )
    return max(counted, estimate or 0)


def _open_count(project: Project) -> int:
    tasks = AnnotationTask.objects.filter(
        project=project, purpose=TaskPurpose.LABEL, named=False, state=TaskState.OPEN, open_slots__gt=0
    )
    return tasks[:MOST_COUNTED].count()


def quota_reached(*, project: Project, user: User, kind: str | None = None) -> bool:
    """Whether this person has given as many answers today as every queue (or this one) allows."""
    queues = Queue.objects.filter(project=project, **({"kind": kind} if kind else {}))
    found = list(queues.values_list("daily_quota", flat=True))
    quotas = [quota for quota in found if quota is not None]
    if not quotas or len(quotas) < len(found):
        return False
    days = DayCount.objects.filter(user=user, project=project, day=timezone.now().date())
    given = days.values_list("answers", flat=True).first() or 0
    live = Assignment.objects.filter(user=user, task__project=project, state=Assignment.State.ACTIVE).count()
    return given + live >= max(quotas)


def model_critique_of(response_id: UUID) -> Critique | None:
    """The model's latest readable critique of a response."""
    made = Critique.objects.filter(response_id=response_id, author_kind=Author.MODEL.value, parsed=True)
    return made.order_by("-created_at", "id").first()


def queue_of(project_id: int, kind: str) -> Queue:
    """The settings of a queue; the defaults, unsaved, where nobody has set any."""
    found = Queue.objects.filter(project_id=project_id, kind=kind).first()
    return found or Queue(project_id=project_id, kind=kind)


def task_texts(task: AnnotationTask) -> list[str]:
    """What an answer is about: the steps' texts, or one entry per candidate response."""
    if task.kind == TaskKind.PREFERENCE:
        return [str(pk) for pk in task.response_ids]
    response = Response.objects.only("text", "step_spans").get(pk=response_ids(task)[0])
    return [step.text for step in response.steps]


def beside(task: AnnotationTask, payload: Any) -> Beside:
    """What an answer to the task is checked against."""
    queue = queue_of(task.project_id, task.kind)
    alternatives = _alternatives(task, payload)
    return Beside(task_texts(task), len(task.critique_ids), queue.error_kinds, queue.criteria, alternatives)


def _alternatives(task: AnnotationTask, payload: Any) -> dict[str, int]:
    if not (isinstance(payload, dict) and payload.get("branches")):
        return {}
    offered = Response.objects.filter(regeneration__task=task).values_list("pk", "regeneration__step")
    return {str(pk): step for pk, step in offered}


_TASK = """
SELECT {columns}, r.text, r.step_spans, q.error_kinds, q.criteria, q.gold_feedback, q.daily_quota,
    EXISTS (SELECT 1 FROM annotate_adjudication f WHERE f.task_id = t.id)
FROM annotate_annotationtask t
LEFT JOIN traces_response r ON r.id = t.response_id
LEFT JOIN annotate_queue q ON q.project_id = t.project_id AND q.kind = t.kind
WHERE t.id = %s FOR NO KEY UPDATE OF t
"""


def task_locked(pk: int, payload: Any) -> tuple[AnnotationTask, Beside]:
    """The task, its row locked until the transaction ends, and what an answer to it is checked against.

    The task comes with ``queue`` (settings an answer needs) and ``adjudicated``.
    """
    row = row_of(_TASK.format(columns=columns_of(AnnotationTask, "t")), [pk])
    if row is None:
        raise AnnotationTask.DoesNotExist
    task = instance_of(AnnotationTask, row)
    text, spans, error_kinds, criteria, gold_feedback, daily_quota, task.adjudicated = row[-7:]
    if task.kind == TaskKind.PREFERENCE:
        texts = [str(one) for one in task.response_ids]
    else:
        texts = [text[start:end] for start, end, *_ in json.loads(spans)]
    task.queue = Queue(
        project_id=task.project_id,
        kind=task.kind,
        error_kinds=json.loads(error_kinds or "[]"),
        criteria=json.loads(criteria or "[]"),
        gold_feedback=gold_feedback or "hidden",
        daily_quota=daily_quota,
    )
    queue, alternatives = task.queue, _alternatives(task, payload)
    return task, Beside(texts, len(task.critique_ids), queue.error_kinds, queue.criteria, alternatives)


def response_ids(task: AnnotationTask) -> list[UUID]:
    """What the task is about: its one response, or the candidates unshuffled."""
    return list(task.response_ids) if task.response_id is None else [task.response_id]


def people_who_annotate(project: Project) -> QuerySet[User]:
    """Members who may be asked, by name."""
    may = User.objects.filter(memberships__project=project, memberships__role__in=MAY_ANNOTATE)
    return may.order_by("username")


def with_iteration(answers: QuerySet[Annotation]) -> QuerySet[Annotation]:
    """Each with ``collected_in``: the key of its task's iteration. An answer to a gold item goes with the
    label its author gave before it, or else after it: it would be told by belonging to none, and by staying
    open for ever."""
    labels = Annotation.objects.filter(
        user=OuterRef("user"), task__project=OuterRef("task__project"), task__purpose=TaskPurpose.LABEL
    )
    before = labels.filter(created_at__lt=OuterRef("created_at")).order_by("-created_at")
    after = labels.filter(created_at__gte=OuterRef("created_at")).order_by("created_at")
    # Each gives -1 for a label of no iteration, so that null is "there is no such label".
    beside = [Subquery(q.values(of=Coalesce("task__iteration_id", -1))[:1]) for q in (before, after)]
    own = When(task__purpose=TaskPurpose.GOLD, then=NullIf(Coalesce(*beside), -1))
    return answers.annotate(collected_in=Case(own, default=F("task__iteration_id")))


def sent_back_count(user: User, project: Project) -> int:
    """How many of a person's answers a lead has sent back; they are few, and have an index of their own."""
    back = Annotation.objects.filter(user=user, state=Annotation.State.SENT_BACK)
    return back.filter(task__project=project).count()

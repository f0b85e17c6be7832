"""Asking people: the tasks of an iteration, made once and withdrawn once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction

from webapp.annotate.models import AnnotationTask, Queue, TaskKind, TaskPurpose, TaskState
from webapp.annotate.services.queues import cursors_forget

if TYPE_CHECKING:
    from webapp.iterations.models import Iteration

Id = UUID | str
# prompt id, what is asked about, priority. Asked about: a response id; for a preference the candidates' ids;
# for a critique review the response's id and the ids of one or two critiques of it.
Item = tuple[int, Id | Sequence[Id] | tuple[Id, Sequence[Id]], float]

POLICY = ("overlap", "show_model_critique", "show_reference")


@transaction.atomic
def tasks_create(
    *,
    iteration: Iteration,
    kind: str,
    items: Iterable[Item],
    overlap: int | None = None,
    show_model_critique: bool | None = None,
    show_reference: bool | None = None,
    control: Collection[str] = (),
    purpose: TaskPurpose = TaskPurpose.LABEL,
) -> int:
    """Make one task per item; what is not given is as the queue's settings say. A repeated call adds nothing.

    ``control`` holds the responses that were drawn uniformly, whatever the order: their tasks say so in
    ``meta``, and statistics that must be unbiased use them alone.

    Answers to tasks of purpose ``gate`` decide about a model: no example is ever made of them.

    Returns how many tasks of this purpose the iteration has now, whichever call made them.

    Raises:
        ValueError: an unknown kind, an overlap below 1, a preference with fewer than two candidates, or a
            review of other than one or two critiques.
    """
    kind = TaskKind(kind)
    if overlap is not None and overlap < 1:
        raise ValueError(f"overlap is the number of people asked per task: at least 1, not {overlap}")
    given = {
        "overlap": overlap,
        "show_model_critique": show_model_critique,
        "show_reference": show_reference,
    }
    given = {name: value for name, value in given.items() if value is not None}
    queue, _ = Queue.objects.get_or_create(project_id=iteration.project_id, kind=kind)
    policy = {name: given.get(name, getattr(queue, name)) for name in POLICY}
    rows = []
    for prompt_id, subject, priority in items:
        about = _about(kind, prompt_id, subject)
        rows.append(
            AnnotationTask(
                project_id=iteration.project_id,
                iteration_id=iteration.pk,
                kind=kind,
                purpose=purpose,
                prompt_id=prompt_id,
                **about,
                meta={"control": True} if str(about.get("response_id")) in control else {},
                priority=priority,
                open_slots=policy["overlap"],
                **policy,
            )
        )
    AnnotationTask.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
    if rows and purpose == TaskPurpose.LABEL:
        above = max(row.priority for row in rows)
        cursors_forget(project_id=iteration.project_id, kind=kind, above=above)
    return AnnotationTask.objects.filter(iteration=iteration, kind=kind, purpose=purpose).count()


def _about(kind: TaskKind, prompt_id: int, subject: Any) -> dict[str, Any]:
    """What is judged or compared, as columns of the task."""
    if kind == TaskKind.STEP_CRITIQUE:
        return {"response_id": subject}
    if kind == TaskKind.PREFERENCE:
        if isinstance(subject, str | UUID) or len(set(subject)) < 2:
            raise ValueError(
                f"a preference needs two different responses; prompt {prompt_id} has {subject!r}"
            )
        return {"response_ids": list(subject)}
    response_id, critique_ids = subject
    if len(critique_ids) not in (1, 2) or len(set(critique_ids)) != len(critique_ids):
        raise ValueError(
            f"a review is of one critique or two different ones; prompt {prompt_id} has {critique_ids!r}"
        )
    return {"response_id": response_id, "critique_ids": list(critique_ids)}


@transaction.atomic
def tasks_close(*, iteration: Iteration) -> int:
    """Withdraw what is still open; returns how many. Answers stay; live claims learn it at the next call."""
    open_tasks = AnnotationTask.objects.filter(iteration=iteration, state=TaskState.OPEN)
    # Locked by id first, as a sweep locks them: a bare update takes rows in any order and may deadlock.
    ids = list(open_tasks.order_by("id").select_for_update(no_key=True).values_list("id", flat=True))
    return AnnotationTask.objects.filter(pk__in=ids).update(state=TaskState.CLOSED)

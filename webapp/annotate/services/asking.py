"""New tasks about responses that are there already, outside of any iteration."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

from django.db import transaction

from loop.annotate.order import Askable, choose, policy_names, with_control
from loop.records import Author, Split
from webapp.accounts.models import User
from webapp.annotate.askable import askables, latest_critiques
from webapp.annotate.models import AnnotationTask, Queue, TaskKind, TaskPurpose
from webapp.annotate.services.queues import QueueRefused, cursors_forget
from webapp.projects.models import Project
from webapp.projects.services import audit_record
from webapp.traces.models import Critique, Response

MOST_READ = 50_000  # responses considered at once, the newest


@transaction.atomic
def tasks_ask(
    *,
    project: Project,
    by: User,
    kind: str,
    order: str,
    count: int,
    overlap: int = 1,
    iteration: int | None = None,
    seed: int = 0,
) -> int:
    """Make tasks about responses of an iteration (by number), or about imported ones; returns how many.

    Only responses to train prompts that no task of this kind is about yet; one task per prompt. The queue's
    control share of them is drawn uniformly. Their answers become examples with the next curation only
    where the responses belong to its iteration.

    Raises:
        QueueRefused: an unknown kind or order, or counts that cannot be.
    """
    if kind not in TaskKind.values or order not in policy_names():
        raise QueueRefused(["Choose a kind of task and an order that exist."])
    if not 1 <= count <= 10_000 or not 1 <= overlap <= 100:
        raise QueueRefused(["Ask for 1 to 10,000 tasks, and for 1 to 100 people each."])
    queue, _ = Queue.objects.get_or_create(project=project, kind=kind)
    items = _unasked(project, kind, iteration)
    ordered = choose(items, order, len(items), seed)
    control: set[UUID] = set()
    if kind == TaskKind.PREFERENCE:
        rows = _pairs(ordered)[:count]
    else:
        chosen = with_control(ordered, queue.control_share, seed, take=count, per_prompt=True)
        rows = [(int(a.prompt_id), [UUID(a.response_id)]) for a in chosen]
        control = {UUID(a.response_id) for a in chosen if a.control}
    reviewed = latest_critiques([pks[0] for _, pks in rows]) if kind == TaskKind.CRITIQUE_REVIEW else {}
    tasks = [
        AnnotationTask(
            project=project,
            kind=kind,
            prompt_id=prompt_id,
            response_id=None if kind == TaskKind.PREFERENCE else pks[0],
            response_ids=pks if kind == TaskKind.PREFERENCE else [],
            critique_ids=[reviewed[pks[0]]] if kind == TaskKind.CRITIQUE_REVIEW else [],
            meta={"control": True} if pks[0] in control else {},
            priority=float(len(rows) - i),
            overlap=overlap,
            open_slots=overlap,
            show_model_critique=queue.show_model_critique,
            show_reference=queue.show_reference,
        )
        for i, (prompt_id, pks) in enumerate(rows)
    ]
    AnnotationTask.objects.bulk_create(tasks, batch_size=1000)
    if tasks:
        cursors_forget(project_id=project.pk, kind=kind)
    audit_record(
        project=project,
        actor=by,
        verb="tasks made",
        target=f"{len(tasks)} tasks",
        data={"kind": kind, "order": order, "overlap": overlap, "iteration": iteration},
    )
    return len(tasks)


def _unasked(project: Project, kind: str, iteration: int | None) -> list[Askable]:
    """Samples that could be asked about, in the order they were written."""
    rows = Response.objects.filter(
        prompt__project=project, prompt__split=Split.TRAIN.value, origin="sample"
    ).exclude(text="")
    rows = rows.filter(iteration__number=iteration) if iteration else rows.filter(iteration=None)
    asked = AnnotationTask.objects.filter(project=project, kind=kind, purpose=TaskPurpose.LABEL)
    if kind == TaskKind.PREFERENCE:  # about a prompt's responses: a second question would be much the same
        rows = rows.exclude(prompt__in=asked.values("prompt_id"))
    else:
        rows = rows.exclude(pk__in=asked.filter(response__isnull=False).values("response_id"))
    if kind == TaskKind.CRITIQUE_REVIEW:
        said = Critique.objects.filter(author_kind=Author.MODEL.value, parsed=True)
        rows = rows.filter(pk__in=said.values("response_id"))
    newest = rows.order_by("-created_at", "id").values("pk")[:MOST_READ]
    return askables(Response.objects.filter(pk__in=newest).order_by("created_at", "id"))


def _pairs(ordered: list[Askable]) -> list[tuple[int, list[UUID]]]:
    """The first two responses of each prompt that has two, whose texts differ."""
    texts = dict(Response.objects.filter(pk__in=[a.response_id for a in ordered]).values_list("pk", "text"))
    by_prompt: dict[str, list[UUID]] = defaultdict(list)
    for item in ordered:
        mine, pk = by_prompt[item.prompt_id], UUID(item.response_id)
        if len(mine) < 2 and texts[pk] not in {texts[other] for other in mine}:
            mine.append(pk)
    return [(int(prompt), pks) for prompt, pks in by_prompt.items() if len(pks) == 2]

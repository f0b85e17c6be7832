"""Answers that come with imported tasks, stored in bulk as `annotation_submit` would have left them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from loop.records import Author
from webapp.accounts.models import User
from webapp.annotate.models import (
    Annotation,
    AnnotationRevision,
    AnnotationTask,
    Assignment,
    Flag,
    TaskKind,
    TaskPurpose,
)
from webapp.annotate.services.answers import comparison_of, judgement_of, seconds_plausible
from webapp.projects.models import Project
from webapp.traces.models import Critique, Preference

_BATCH = 2000


class Given(NamedTuple):
    """An answer, checked and normalised, to a task that was just made."""

    task: int
    prompt: int
    subject: tuple[bytes, ...]
    kind: str
    payload: dict[str, Any]
    outcome: str
    seconds: float | None


def answers_store(*, project: Project, user: User, given: Sequence[Given]) -> None:
    """Store them as this person's first answers, inside the caller's transaction.

    Each gets what a submitted one has: a claim that is used up, the answer with its first version, the loop's
    record derived from it, and its place in the lead's inbox if it was set aside. It was given elsewhere: it
    counts towards nobody's day, and under which guidelines it was given is not known.
    """
    tasks = [_task(project, g) for g in given]
    now = timezone.now()
    claims = Assignment.objects.bulk_create(
        [Assignment(task=t, user=user, state=Assignment.State.SUBMITTED, lease_until=now) for t in tasks],
        batch_size=_BATCH,
    )
    answers = Annotation.objects.bulk_create(
        [
            Annotation(
                task=task,
                user=user,
                assignment=claim,
                submit_key=uuid.uuid5(claim.token, "imported"),
                outcome=g.outcome,
                payload=g.payload,
                seconds=seconds_plausible(g.seconds),
            )
            for g, task, claim in zip(given, tasks, claims, strict=True)
        ],
        batch_size=_BATCH,
    )
    AnnotationRevision.objects.bulk_create(
        [
            AnnotationRevision(annotation=a, number=1, payload=a.payload, outcome=a.outcome, author=user)
            for a in answers
        ],
        batch_size=_BATCH,
    )
    _derive(user, answers)
    Flag.objects.bulk_create(
        [
            Flag(
                project=project,
                task=a.task,
                annotation=a,
                author=user,
                reason=a.outcome,
                note=a.payload.get("reason", ""),
            )
            for a in answers
            if a.outcome != Annotation.Outcome.ANSWERED
        ],
        batch_size=_BATCH,
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE annotate_annotationtask SET answers = 1, open_slots = open_slots - 1,"
            " state = CASE WHEN overlap <= 1 THEN 'done' ELSE state END WHERE id = ANY(%s)",
            [[g.task for g in given]],
        )


def _task(project: Project, given: Given) -> AnnotationTask:
    """The task as far as its answer concerns it; it is stored already."""
    ids = [uuid.UUID(bytes=rid) for rid in given.subject]
    single = given.kind == TaskKind.STEP_CRITIQUE
    return AnnotationTask(
        pk=given.task,
        project=project,
        kind=given.kind,
        purpose=TaskPurpose.LABEL,
        prompt_id=given.prompt,
        response_id=ids[0] if single else None,
        response_ids=[] if single else ids,
    )


def _derive(user: User, answers: Sequence[Annotation]) -> None:
    counted = [a for a in answers if a.outcome == Annotation.Outcome.ANSWERED]
    who = {"author_kind": Author.PERSON.value, "author": user}
    judged = [(a, judgement_of(a.task, a.payload)) for a in counted]
    Critique.objects.bulk_create(
        [Critique(annotation=a, **values, **who) for a, values in judged if values is not None],
        batch_size=_BATCH,
    )
    compared = [(a, comparison_of(a.task, a.payload)) for a in counted]
    Preference.objects.bulk_create(
        [Preference(annotation=a, **values, **who) for a, values in compared if values is not None],
        batch_size=_BATCH,
    )

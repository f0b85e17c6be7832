"""Answers as the statistics need them: a few fields each, read as a stream, up to a stated number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, QuerySet

from loop.annotate.reliability import Compared, Judged, same_judgement
from loop.records import Verdict
from webapp.accounts.models import User
from webapp.annotate.models import Annotation, AnnotationRevision, TaskKind

MOST = 20_000  # answers that one page reads; it says so where there are more
_CHUNK = 2000


class Given(NamedTuple):
    """One answer. What a kind of task does not have is None."""

    pk: int
    task: int
    user: int
    kind: str
    outcome: str
    at: datetime
    version: int | None  # the guidelines' number
    marks: list[int | None] | None
    first_error: int | None
    verdict: str | None
    winner: int | None
    all_bad: bool | None
    decision: str | None

    @property
    def answered(self) -> bool:
        return self.outcome == Annotation.Outcome.ANSWERED


_SAID = (
    "payload__marks", "payload__first_error", "payload__verdict", "payload__winner", "payload__all_bad",
    "payload__decision",
)  # fmt: skip
FIELDS = (
    "pk", "task_id", "user_id", "task__kind", "outcome", "created_at", "guideline_version__number", *_SAID
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answers:
    """``cut``: there are more, and only the newest tasks' were read."""

    rows: list[Given]
    cut: bool


def answers_read(answers: QuerySet[Annotation], *, most: int = MOST) -> Answers:
    """The answers to the newest tasks, whole tasks only, newest first."""
    newest = answers.order_by("-task_id", "id").values_list(*FIELDS)[: most + 1]
    rows = [Given(*row) for row in newest.iterator(chunk_size=_CHUNK)]
    cut = len(rows) > most
    if cut and rows[0].task != rows[-1].task:  # the last task may lack some of its answers
        rows = [row for row in rows if row.task != rows[-1].task]
    return Answers(rows, cut)


def as_given(rows: Sequence[Given]) -> list[Given]:
    """The answers as they were first given, whatever their authors changed since. One query."""
    changed = AnnotationRevision.objects.filter(
        annotation__in=[row.pk for row in rows], annotation__revision__gt=1, number=1
    )
    first = {pk: said for pk, *said in changed.values_list("annotation_id", "outcome", *_SAID)}
    names = ("outcome", *(name.removeprefix("payload__") for name in _SAID))
    return [
        row._replace(**dict(zip(names, first[row.pk], strict=True))) if row.pk in first else row
        for row in rows
    ]


def by_task(rows: Iterable[Given]) -> dict[int, list[Given]]:
    tasks: dict[int, list[Given]] = {}
    for row in rows:
        tasks.setdefault(row.task, []).append(row)
    return tasks


# ------------------------------------------------------------------------------------- what an answer says
def judged(said: Given) -> Judged:
    return Judged(Verdict(said.verdict or "unknown"), said.first_error)


def choice(said: Given) -> str | None:
    """The answer as one word that can be equal to another's; None where the person was not sure."""
    if said.kind == TaskKind.STEP_CRITIQUE:
        return said.verdict if said.verdict in ("right", "wrong") else None
    if said.kind == TaskKind.CRITIQUE_REVIEW and said.decision != "prefer":
        return said.decision
    return "all bad" if said.all_bad else "tie" if said.winner is None else f"candidate {said.winner + 1}"


def same(first: Given, second: Given) -> bool | None:
    """Whether two answers to one task agree; None where one was set aside or not sure."""
    if not (first.answered and second.answered):
        return None
    if first.kind == TaskKind.STEP_CRITIQUE:
        return same_judgement(judged(first), judged(second))
    return choice(first) == choice(second)


def known(task: int, kind: str, at: datetime, gold: dict[str, Any]) -> Given:
    """The known answer of a gold task as if somebody had given it."""
    keys = ("marks", "first_error", "verdict", "winner", "all_bad", "decision")
    return Given(0, task, 0, kind, Annotation.Outcome.ANSWERED, at, None, *(gold.get(key) for key in keys))


def compared(said: Given, ids: list[UUID], order: list[int]) -> Compared:
    """A preference as it was displayed."""
    shown = tuple(str(ids[i]) for i in order)
    return Compared(shown, None if said.winner is None else str(ids[said.winner]))


@dataclass(frozen=True, slots=True)
class Person:
    pk: int
    username: str
    name: str
    simulated: bool


def people_of(ids: Iterable[int]) -> dict[int, Person]:
    """Names for the rows' ``user``; programs are marked."""
    found = User.objects.filter(pk__in=set(ids)).only("username", "first_name", "last_name", "is_simulated")
    return {u.pk: Person(u.pk, u.username, str(u), u.is_simulated) for u in found}


def answers_under(versions: Iterable[int]) -> dict[int, int]:
    """How many answers were given under each of these guideline versions (by their keys)."""
    counted = Annotation.objects.filter(guideline_version__in=list(versions)).order_by()
    return dict(counted.values_list("guideline_version").annotate(n=Count("pk")))

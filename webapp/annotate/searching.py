"""Finding tasks: full text and filters, newest first, a page at a time however many there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.postgres.search import SearchQuery
from django.db import OperationalError, connection, transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.utils import timezone

from loop.records import Verdict
from webapp.accounts.models import User
from webapp.annotate.models import (
    ANSWER_WORDS,
    Annotation,
    AnnotationTask,
    Flag,
    SearchRow,
    TaskKind,
    TaskPurpose,
    TaskState,
)
from webapp.annotate.votes import judgement
from webapp.projects.models import Project

PER_PAGE = 50
CAP = 1000  # tasks are counted up to here
FEW = 2000  # tasks with a word that are looked up by their ids
LAG_CAP = 100_000
PATIENCE = 4000  # milliseconds that the database may look for a page
COUNT_PATIENCE = 1000

# What is never in a text here: they mark the words that were found.
HIT, END = "\x02", "\x03"
_HEADLINE = (
    f'StartSel={HIT}, StopSel={END}, MaxFragments=2, MinWords=12, MaxWords=28, FragmentDelimiter=" … "'
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for, as in the address bar. What cannot be understood there counts as not said."""

    q: str = ""
    kind: str = ""
    state: str = ""
    purpose: str = ""
    outcome: str = ""
    verdict: str = ""
    first_error: str = ""  # a step's number as shown, from 1; or "none"
    flag: str = ""  # open | any
    person: str = ""  # user name
    guidelines: int | None = None
    iteration: int | None = None
    since: date | None = None
    until: date | None = None
    before: int | None = None  # the last task's id on the page before

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Wanted:
        def text(key: str, most: int = 200) -> str:
            return given.get(key, "").replace("\0", "").strip()[:most]

        def one_of(key: str, known: list[str]) -> str:
            return text(key) if text(key) in known else ""

        first = text("first_error")
        return cls(
            q=text("q", 500),
            kind=one_of("kind", TaskKind.values),
            state=one_of("state", TaskState.values),
            purpose=one_of("purpose", TaskPurpose.values),
            outcome=one_of("outcome", Annotation.Outcome.values),
            verdict=one_of("verdict", [v.value for v in Verdict]),
            first_error=first if first == "none" else str(whole_of(first, 1, 9999) or ""),
            flag=one_of("flag", ["open", "any"]),
            person=text("person", 150),
            guidelines=whole_of(text("guidelines"), 1, 10**6),
            iteration=whole_of(text("iteration"), 1, 10**6),
            since=day_of(text("since")),
            until=day_of(text("until")),
            before=whole_of(text("before"), 1, 2**62),
        )

    def asked(self) -> dict[str, str]:
        """What was said, without the place in the pages."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "before"}
        return {key: str(value) for key, value in said.items() if value}

    def address(self, **changes: Any) -> str:
        return urlencode({key: value for key, value in (self.asked() | changes).items() if value})


def whole_of(text: str, low: int, high: int) -> int | None:
    """A whole number from an address; None where it is none, or out of bounds."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        return None
    return int(text) if low <= int(text) <= high else None


def day_of(text: str) -> date | None:
    """A day from an address, as 2026-02-28; None where it is none."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2200 else None


@dataclass(frozen=True, slots=True)
class Found:
    task: AnnotationTask
    excerpt: list[tuple[bool, str]]  # (one of the words looked for, text)
    answers: list[tuple[Annotation, str]]  # with each in a word
    flags: int  # unresolved
    when: datetime  # the task was made; for ``only``: answered


@dataclass(frozen=True, slots=True)
class TaskPage:
    """``count`` is None where counting would take too long; ``slow``: so did the look-up itself."""

    rows: list[Found]
    older: int | None
    count: int | None
    slow: bool = False


def tasks_search(project: Project, wanted: Wanted, *, only: User | None = None) -> TaskPage:
    """A page of tasks, newest first. ``only``: those this person answered, with their answer alone.

    For ``only`` repeats are left out, and purpose, state and iteration are no filters: they would tell
    which items have a known answer.
    """
    try:
        with patience(PATIENCE):
            ids = list(_ids(project, wanted, only, PER_PAGE + 1, wanted.before))
    except TooSlowError:
        return TaskPage([], None, None, slow=True)
    if not wanted.before and len(ids) <= PER_PAGE:
        return TaskPage(_rows(ids, wanted, only), None, len(ids))
    count: int | None = None
    try:
        with patience(COUNT_PATIENCE):
            count = len(_ids(project, wanted, only, CAP + 1, None))
    except TooSlowError:
        pass
    older = ids[PER_PAGE - 1] if len(ids) > PER_PAGE else None
    return TaskPage(_rows(ids[:PER_PAGE], wanted, only), older, count)


def unsearchable_count(project: Project) -> int:
    """How many of the project's tasks have no full text yet, counted up to ``LAG_CAP``."""
    filled = SearchRow.objects.aggregate(last=Max("task_id"))["last"] or 0
    return AnnotationTask.objects.filter(project=project, pk__gt=filled)[:LAG_CAP].count()


# ------------------------------------------------------------------------------------------ which tasks
def _ids(
    project: Project, wanted: Wanted, only: User | None, most: int, before: int | None
) -> QuerySet[AnnotationTask, int]:
    tasks = _narrowed(project, wanted, only)
    if before:
        tasks = tasks.filter(pk__lt=before)
    if not wanted.q:
        return tasks.order_by("-id").values_list("id", flat=True)[:most]
    # Either place by itself can use its own index, and stop after a page; one condition over both could not.
    query = SearchQuery(wanted.q, config="simple", search_type="websearch")
    in_task = SearchRow.objects.filter(words=query)
    said = _answers_of(only).alias(said=ANSWER_WORDS).filter(said=query)
    places = [
        _newest(tasks, in_task, most),
        _newest(tasks, said, most),
    ]
    return places[0].union(places[1]).order_by("-id")[:most]


def _newest(
    tasks: QuerySet[AnnotationTask], place: QuerySet[Any], most: int
) -> QuerySet[AnnotationTask, int]:
    """The newest tasks with the words in one place.

    Rare words are looked up first: the planner takes every rare word for a little less rare than it is,
    and would go through all tasks for it.
    """
    few = list(place.order_by().values_list("task_id", flat=True)[: FEW + 1])
    if len(few) <= FEW:
        tasks = tasks.filter(pk__in=few)
    else:
        tasks = tasks.filter(Exists(place.filter(task=OuterRef("pk"))))
    return tasks.order_by("-id").values_list("id", flat=True)[:most]


def _answers_of(only: User | None) -> QuerySet[Annotation]:
    return Annotation.objects.filter(user=only) if only else Annotation.objects.all()


def _narrowed(project: Project, wanted: Wanted, only: User | None) -> QuerySet[AnnotationTask]:
    tasks = AnnotationTask.objects.filter(project=project)
    if wanted.kind:
        tasks = tasks.filter(kind=wanted.kind)
    if only:
        tasks = tasks.exclude(purpose=TaskPurpose.REPEAT)
    else:
        told = {"purpose": wanted.purpose, "state": wanted.state, "iteration__number": wanted.iteration}
        tasks = tasks.filter(**{field: value for field, value in told.items() if value})
    if wanted.flag:
        flags = Flag.objects.filter(task=OuterRef("pk"), **({"author": only} if only else {}))
        tasks = tasks.filter(Exists(flags.filter(resolved_at=None) if wanted.flag == "open" else flags))
    answer = _answer_wanted(wanted)
    if only or answer:
        # Dates alone also find tasks that nobody has answered: by when they were made.
        tasks = tasks.filter(Exists(_answers_of(only).filter(answer, _days(wanted), task=OuterRef("pk"))))
    else:
        tasks = tasks.filter(_days(wanted))
    return tasks


def _answer_wanted(wanted: Wanted) -> Q:
    """What one and the same answer must be like."""
    answer = Q()
    if wanted.person:
        answer &= Q(user__username=wanted.person)
    if wanted.outcome:
        answer &= Q(outcome=wanted.outcome)
    if wanted.verdict:
        answer &= Q(payload__verdict=wanted.verdict)
    if wanted.first_error == "none":
        answer &= Q(payload__has_key="marks", payload__first_error=None)
    elif wanted.first_error:
        answer &= Q(payload__first_error=int(wanted.first_error) - 1)
    if wanted.guidelines:
        answer &= Q(guideline_version__number=wanted.guidelines)
    return answer


def _days(wanted: Wanted) -> Q:
    """From the first day's beginning to the last day's end."""
    days = Q()
    if wanted.since:
        days &= Q(created_at__gte=midnight(wanted.since))
    if wanted.until:
        days &= Q(created_at__lt=midnight(wanted.until + timedelta(days=1)))
    return days


def midnight(day: date) -> datetime:
    """When the day begins, where the site is."""
    return timezone.make_aware(datetime.combine(day, time()))


class TooSlowError(Exception):
    pass


@contextmanager
def patience(milliseconds: int) -> Iterator[None]:
    """Let the database cancel what takes longer: one broad question must not hold up everybody's answers."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
            yield
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
    except OperationalError as error:
        if "statement timeout" not in str(error):
            raise
        raise TooSlowError from error


# ----------------------------------------------------------------------------------- what is shown of them
def _rows(ids: list[int], wanted: Wanted, only: User | None) -> list[Found]:
    tasks = AnnotationTask.objects.select_related("prompt", "iteration").in_bulk(ids)
    answers: dict[int, list[tuple[Annotation, str]]] = {pk: [] for pk in ids}
    given = _answers_of(only).filter(task__in=ids).select_related("user", "guideline_version").order_by("id")
    for answer in given:
        kind = tasks[answer.task_id].kind
        answers[answer.task_id].append((answer, _in_words(kind, answer)))
    flags: dict[int, int] = {}
    raised = Flag.objects.filter(task__in=ids, resolved_at=None, **({"author": only} if only else {}))
    for pk in raised.values_list("task_id", flat=True):
        flags[pk] = flags.get(pk, 0) + 1
    excerpts = _excerpts(ids, wanted.q, only) if wanted.q and ids else {}
    return [
        Found(
            task=tasks[pk],
            excerpt=_parts(excerpts.get(pk) or tasks[pk].prompt.text[:300]),
            answers=answers[pk],
            flags=flags.get(pk, 0),
            when=answers[pk][0][0].created_at if only and answers[pk] else tasks[pk].created_at,
        )
        for pk in ids
    ]


def _in_words(kind: str, answer: Annotation) -> str:
    word = judgement(kind, answer.outcome, answer.payload)
    if not word.isdigit():
        return word
    return f"{'response' if kind == TaskKind.PREFERENCE else 'critique'} {int(word) + 1} is better"


_EXCERPTS = """
SELECT t.id, ts_headline('simple', left(concat_ws(E'\\n', p.text, (
    SELECT string_agg(r.text, E'\\n') FROM traces_response r
    WHERE r.id = ANY(array_append(t.response_ids, t.response_id))
), (
    SELECT string_agg(said.text #>> '{}', E'\\n') FROM annotate_annotation a,
        jsonb_path_query(a.payload, 'strict $.** ? (@.type() == "string")') AS said(text)
    WHERE a.task_id = t.id AND (%(only)s::bigint IS NULL OR a.user_id = %(only)s)
)), 10000), websearch_to_tsquery('simple', %(query)s), %(options)s)
FROM annotate_annotationtask t JOIN projects_prompt p ON p.id = t.prompt_id
WHERE t.id = ANY(%(ids)s)
"""


def _excerpts(ids: list[int], query: str, only: User | None) -> dict[int, str]:
    """The places where the words were found, marked; the beginning where they lie too far behind."""
    values = {"ids": ids, "query": query, "options": _HEADLINE, "only": only.pk if only else None}
    with connection.cursor() as cursor:
        cursor.execute(_EXCERPTS, values)
        return dict(cursor.fetchall())


def _parts(text: str) -> list[tuple[bool, str]]:
    parts = []
    for i, piece in enumerate(text.split(HIT)):
        hit, end, rest = piece.partition(END)
        if i and end:
            parts += [(True, hit), (False, rest)]
        else:
            parts.append((False, piece))
    return [(found, part) for found, part in parts if part]

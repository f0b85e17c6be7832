"""How far people agree: figures over everybody and for each two, by guideline version and by week.

Measured on label tasks that several people answered, on what they say now, rejected answers included:
leaving out what a lead rejected would flatter the figure. Set-aside answers judge nothing and are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet

from loop.annotate import agreement as measure
from loop.annotate.agreement import Figure, FirstErrors, Item
from loop.annotate.pairs import FirstErrorPair, PairFigures, first_error_pairs, pairwise
from loop.annotate.reliability import Trend, trend
from loop.evaluate.rates import Rate, accuracy
from webapp.annotate.given import (
    Answers,
    Given,
    Person,
    answers_read,
    by_task,
    choice,
    judged,
    people_of,
    same,
)
from webapp.annotate.models import Annotation, TaskKind, TaskPurpose
from webapp.annotate.searching import day_of, midnight, whole_of
from webapp.projects.models import Project

ALPHA_LOW = 0.667  # below it not even tentative conclusions may be drawn (Krippendorff, 2004, p. 241)
DRIFT_P = 0.05
MOST_PEOPLE = 12  # in the matrix: those with most answers
MOST_GROUPS = 10  # versions and weeks: the newest


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters, as in the address bar. What cannot be understood there counts as not said."""

    kind: str = ""
    iteration: int | None = None
    guidelines: int | None = None
    since: date | None = None
    until: date | None = None

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Asked:
        kind = given.get("kind", "")
        return cls(
            kind=kind if kind in TaskKind.values else "",
            iteration=whole_of(given.get("iteration", ""), 1, 10**6),
            guidelines=whole_of(given.get("guidelines", ""), 1, 10**6),
            since=day_of(given.get("since", "")),
            until=day_of(given.get("until", "")),
        )

    def address(self) -> str:
        said = {name: getattr(self, name) for name in ("kind", "iteration", "guidelines", "since", "until")}
        return urlencode({key: value for key, value in said.items() if value})

    def narrow(self, answers: QuerySet[Annotation]) -> QuerySet[Annotation]:
        if self.kind:
            answers = answers.filter(task__kind=self.kind)
        if self.iteration:
            answers = answers.filter(task__iteration__number=self.iteration)
        if self.guidelines:
            answers = answers.filter(guideline_version__number=self.guidelines)
        if self.since:
            answers = answers.filter(created_at__gte=midnight(self.since))
        if self.until:
            answers = answers.filter(created_at__lt=midnight(self.until + timedelta(days=1)))
        return answers


def overlapping_answers(project: Project, asked: Asked | None = None, *, most: int | None = None) -> Answers:
    """Answers to label tasks that more than one person answered, of the newest tasks."""
    answers = Annotation.objects.filter(
        task__project=project,
        task__purpose=TaskPurpose.LABEL,
        task__answers__gte=2,
        outcome=Annotation.Outcome.ANSWERED,
    )
    read = (asked or Asked()).narrow(answers)
    return answers_read(read) if most is None else answers_read(read, most=most)


@dataclass(frozen=True, slots=True)
class Line:
    """One figure with its name. ``share``: a share of pairs, else a coefficient."""

    key: str
    figure: Figure
    share: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    people: tuple[Person, Person]
    figures: PairFigures
    first_error: FirstErrorPair | None

    @property
    def level(self) -> int:
        """0 to 4 by fifths of kappa: how strongly a cell is shaded."""
        return min(4, max(0, int(5 * (self.figures.kappa.value or 0.0))))


@dataclass(frozen=True, slots=True)
class Group:
    """Agreement within one guideline version or week: share of pairs that say the same, and alpha."""

    key: Any
    pairs: Rate
    alpha: Figure | None = None


@dataclass(frozen=True, slots=True)
class KindFigures:
    kind: str
    tasks: int  # that at least two people answered
    answers: int
    lines: list[Line]
    people: list[Person]  # of the matrix
    left_out: int  # people who are not in it
    pairs: list[Pair]
    matrix: list[tuple[Person, list[Pair | None]]]
    versions: list[Group]
    weeks: list[Group]
    trend: Trend
    same: Rate  # of all pairs of answers, those that say the same

    @property
    def label(self) -> str:
        return str(TaskKind(self.kind).label)


def kinds_measured(rows: list[Given]) -> list[KindFigures]:
    """The figures of each kind of task there is, in the order in which kinds are named."""
    people = people_of(row.user for row in rows)
    kinds = []
    for kind in TaskKind.values:
        tasks = {pk: said for pk, said in by_task(r for r in rows if r.kind == kind).items() if len(said) > 1}
        if tasks:
            kinds.append(_kind_measured(kind, tasks, people))
    return kinds


def _kind_measured(kind: str, tasks: dict[int, list[Given]], people: dict[int, Person]) -> KindFigures:
    said = Counter(row.user for rows in tasks.values() for row in rows)
    among = {user for user, _ in said.most_common(MOST_PEOPLE)}
    shown = sorted((people[user] for user in among), key=lambda p: p.name.lower())
    pairs = _pairs(kind, tasks, among, people)
    found = {frozenset(p.pk for p in pair.people): pair for pair in pairs}
    matrix: list[tuple[Person, list[Pair | None]]] = [
        (row, [found.get(frozenset((row.pk, column.pk))) for column in shown]) for row in shown
    ]
    equal = list(_equal(tasks))
    weeks = [(monday(at.date()), agree) for at, _, agree in equal]
    return KindFigures(
        kind=kind,
        tasks=len(tasks),
        answers=sum(said.values()),
        lines=_lines(kind, tasks),
        people=shown,
        left_out=len(said) - len(among),
        pairs=sorted(pairs, key=lambda p: -p.figures.n),
        matrix=matrix,
        versions=_versions(kind, tasks),
        weeks=[Group(week, rate) for week, rate in _rates(weeks)[-MOST_GROUPS:]],
        trend=trend((week.toordinal() / 7, agree) for week, agree in weeks),
        same=accuracy(agree for _, _, agree in equal),
    )


def _lines(kind: str, tasks: dict[int, list[Given]]) -> list[Line]:
    choices = _choices(tasks.values())
    lines = [Line("choice", measure.alpha(choices)), Line("percent", measure.agreement_share(choices), True)]
    if kind != TaskKind.STEP_CRITIQUE:
        return lines
    first = _first_errors(tasks.values())
    return [
        lines[0],
        Line("marks", measure.alpha(_marks(tasks.values()), "ordinal")),
        Line("first_error", measure.first_error_alpha(first)),
        lines[1],
        Line("exact", measure.first_error_share(first), True),
        Line("within_one", measure.first_error_share(first, within=1), True),
    ]


def _pairs(
    kind: str, tasks: dict[int, list[Given]], among: set[int], people: dict[int, Person]
) -> list[Pair]:
    narrowed = [[row for row in rows if row.user in among] for rows in tasks.values()]
    positions = {}
    if kind == TaskKind.STEP_CRITIQUE:
        positions = {p.people: p for p in first_error_pairs(_first_errors(narrowed))}
    return [
        Pair(
            (people[found.people[0]], people[found.people[1]]),
            found,
            positions.get(found.people) or positions.get(found.people[::-1]),
        )
        for found in pairwise(_choices(narrowed))
    ]


def _versions(kind: str, tasks: dict[int, list[Given]]) -> list[Group]:
    """Pairs of answers under one and the same version of the guidelines, newest version first."""
    rows = [row for said in tasks.values() for row in said]
    groups = []
    for number in sorted({r.version for r in rows if r.version is not None}, reverse=True)[:MOST_GROUPS]:
        within = by_task(row for row in rows if row.version == number)
        alpha = (
            measure.first_error_alpha(_first_errors(within.values()))
            if kind == TaskKind.STEP_CRITIQUE
            else measure.alpha(_choices(within.values()))
        )
        groups.append(Group(number, accuracy(agree for _, _, agree in _equal(within)), alpha))
    return groups


def _choices(tasks: Iterable[list[Given]]) -> list[Item]:
    return [{row.user: word for row in rows if (word := choice(row)) is not None} for rows in tasks]


def _marks(tasks: Iterable[list[Given]]) -> list[Item]:
    """One item per step; an unjudged step is no answer."""
    items: list[Item] = []
    for rows in tasks:
        for i in range(max(len(row.marks or []) for row in rows)):
            marks = {r.user: r.marks[i] for r in rows if r.marks and i < len(r.marks)}
            items.append({user: mark for user, mark in marks.items() if mark is not None})
    return items


def _first_errors(tasks: Iterable[list[Given]]) -> list[FirstErrors]:
    """Who was not sure whether there is an error has not answered."""
    return [
        FirstErrors(
            max((len(row.marks or []) for row in rows), default=0),
            {row.user: row.first_error for row in rows if judged(row).sure},
        )
        for rows in tasks
    ]


def _equal(tasks: Mapping[int, list[Given]]) -> Iterable[tuple[datetime, int | None, bool | None]]:
    """Every pair of answers to one task: when the later was given, whether they say the same."""
    for rows in tasks.values():
        for a, b in combinations(rows, 2):
            yield max(a.at, b.at), a.version, same(a, b)


def by_week(rows: Iterable[Given]) -> list[tuple[date, Rate]]:
    """Of pairs of answers to one task, those that say the same, by the week in which the later was given."""
    return _rates((monday(at.date()), agree) for at, _, agree in _equal(by_task(rows)))


def _rates(rows: Iterable[tuple[date, bool | None]]) -> list[tuple[date, Rate]]:
    groups: dict[date, list[bool | None]] = {}
    for key, value in rows:
        groups.setdefault(key, []).append(value)
    return [(key, accuracy(groups[key])) for key in sorted(groups)]


def monday(day: date) -> date:
    """The first day of its week."""
    return day - timedelta(days=day.weekday())


# ----------------------------------------------------------------------------------------------- alarms
@dataclass(frozen=True, slots=True)
class Alarm:
    """Something to act on. ``key`` says what; the template has the words."""

    key: str
    kind: str = ""
    name: str = ""
    value: float | None = None
    ci95: tuple[float, float] | None = None
    n: int = 0
    limit: float | None = None
    p_value: float | None = None
    person: Person | None = None

    @property
    def label(self) -> str:
        return str(TaskKind(self.kind).label) if self.kind else ""


def alarms_of(kinds: Iterable[KindFigures]) -> list[Alarm]:
    """Coefficients that lie below `ALPHA_LOW` with their whole interval, and agreement that falls."""
    alarms = []
    for kind in kinds:
        for line in kind.lines:
            ends = line.figure.ci95
            if not line.share and ends and ends[1] < ALPHA_LOW:
                alarms.append(
                    Alarm("low", kind.kind, line.key, line.figure.value, ends, line.figure.n, ALPHA_LOW)
                )
        if falls(kind.trend):
            alarms.append(Alarm("falls", kind.kind, n=kind.trend.n, p_value=kind.trend.p_value))
    return alarms


def falls(found: Trend) -> bool:
    return bool(found.slope and found.slope < 0 and found.p_value is not None and found.p_value < DRIFT_P)

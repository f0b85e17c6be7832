"""How annotation goes: what waits and for how long, who answers and how fast, what an accepted row costs.

Counts of tasks are bounded: up to `EXACT` waiting ones are read through the queue's index; of more, a sample
of the table's pages stands for all, and the page says "about". The rest comes from rows that are kept by day
or measured by iteration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any

from django.db import connection
from django.db.models import Count, Sum
from django.utils.translation import gettext_lazy as lazy

from loop.evaluate.rates import Rate, wilson
from webapp.annotate.agreement import by_week, overlapping_answers
from webapp.annotate.given import Person, people_of
from webapp.annotate.models import (
    AnnotationTask,
    Assignment,
    DayCount,
    Flag,
    TaskKind,
    TaskPurpose,
)
from webapp.metrics.values import Reading, Readings, Turn, latest, readings_of, turns_of
from webapp.projects.models import Project

EXACT = 4000  # waiting tasks that are counted one by one
SAMPLED = 800  # pages of the table that a sample aims at: some fifteen thousand tasks
AGES = (1, 6, 24, 3 * 24, 7 * 24, 28 * 24)  # hours
MOST_REVIEWED = 1000
DAYS = 28
PACE_DAYS = 7
MOST_PEOPLE = 12
MOST_ANSWERS = 600  # that agreement by week rests on
NEWEST_CLAIMS = 2000
LAST = 50  # iterations
RATES = ("accept_rate", "override_rate", "people_alpha", "people_agree_with_checker", "gain_per_hour")
NAMES = (*RATES, "seconds_per_answer", "people_hours", "labels_per_hour", "funnel")
REASONS = {
    Flag.Reason.BAD_PROBLEM.value: lazy("Bad problem"),
    Flag.Reason.GIVE_UP.value: lazy("Given up"),
    Flag.Reason.UNSURE.value: lazy("Unsure"),
    Flag.Reason.FLAG.value: lazy("Flagged"),
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """Tasks of one kind, or of all (kind empty), that still want an answer, and how long they have waited.

    ``wanted``: answers in all. ``median`` and ``oldest`` in seconds. ``by_age``: tasks younger than each of
    `AGES` and not than the one before, then the older ones. ``about``: estimated from a sample.
    """

    kind: str
    tasks: int
    wanted: int
    median: float | None
    oldest: float | None
    by_age: Sequence[int]
    about: bool = False

    @property
    def label(self) -> str:
        return str(TaskKind(self.kind).label) if self.kind else ""


@dataclass(frozen=True, slots=True)
class Worked:
    """One person over the last `DAYS` days."""

    person: Person
    answers: int
    seconds: float
    days: int

    @property
    def per_hour(self) -> float | None:
        return 3600 * self.answers / self.seconds if self.seconds else None


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    answers: int = 0
    seconds: float = 0.0
    people: int = 0


@dataclass(frozen=True, slots=True)
class Returned:
    """How often something came back instead of a judgement. ``rate``: of answers, or of claims."""

    label: Any
    rate: Rate
    of: str  # answers, claims


@dataclass(frozen=True, slots=True)
class Cost:
    """What people spent on one iteration, for each row that was trained on."""

    turn: Turn
    hours: float
    rows: int

    @property
    def minutes(self) -> float:
        return 60 * self.hours / self.rows


@dataclass
class Operations:
    """Everything is read when it is first asked for: a figure by address reads only its own."""

    project: Project
    now: datetime

    # ------------------------------------------------------------------------------------- what waits
    @cached_property
    def waiting(self) -> list[Waiting]:
        """All of them together, then each kind there is."""
        return waiting_read(self.project, self.now)

    @cached_property
    def claims(self) -> int:
        """Tasks that people have on their screens."""
        live = Assignment.objects.filter(state=Assignment.State.ACTIVE, lease_until__gt=self.now)
        return live.filter(task__project=self.project).count()

    @cached_property
    def to_review(self) -> int:
        """Answered tasks that wait for a lead: counted up to `MOST_REVIEWED`."""
        tasks = AnnotationTask.objects.filter(
            project=self.project, answers__gt=0, reviewed=False, purpose=TaskPurpose.LABEL
        )
        return tasks[: MOST_REVIEWED + 1].count()

    # -------------------------------------------------------------------------------------- who answers
    @cached_property
    def days(self) -> list[Day]:
        """The last `DAYS` days, today included, every one of them."""
        first = self.now.date() - timedelta(days=DAYS - 1)
        counts = DayCount.objects.filter(project=self.project, day__gte=first).order_by().values("day")
        sums = counts.annotate(n=Sum("answers"), spent=Sum("seconds"), people=Count("user"))
        found = {row["day"]: Day(row["day"], row["n"], row["spent"], row["people"]) for row in sums}
        return [found.get(d, Day(d)) for d in (first + timedelta(days=i) for i in range(DAYS))]

    @cached_property
    def people(self) -> list[Worked]:
        """Who answered most in these days."""
        first = self.now.date() - timedelta(days=DAYS - 1)
        counts = DayCount.objects.filter(project=self.project, day__gte=first).order_by().values("user")
        sums = counts.annotate(n=Sum("answers"), spent=Sum("seconds"), days=Count("day")).order_by("-n")
        rows = list(sums[:MOST_PEOPLE])
        names = people_of(row["user"] for row in rows)
        return [Worked(names[r["user"]], r["n"], r["spent"], r["days"]) for r in rows if r["user"] in names]

    @property
    def answers(self) -> int:
        return sum(day.answers for day in self.days)

    @property
    def pace(self) -> float:
        """Answers a day over the last `PACE_DAYS` whole days."""
        return sum(day.answers for day in self.days[-1 - PACE_DAYS : -1]) / PACE_DAYS

    @property
    def empty_in(self) -> float | None:
        """Seconds until nothing waits at that pace; None where nobody works, or nothing waits."""
        wanted = self.waiting[0].wanted
        return 86400 * wanted / self.pace if self.pace and wanted else None

    # --------------------------------------------------------------------------------- what comes back
    @cached_property
    def returned(self) -> list[Returned]:
        """Set aside or flagged, of the answers of these days; skipped or lost, of the newest claims."""
        since = self.now - timedelta(days=DAYS)
        raised = Flag.objects.filter(project=self.project, created_at__gte=since).order_by()
        counts = dict(raised.values_list("reason").annotate(n=Count("pk")))
        found = [
            Returned(text, _rate(counts.get(key, 0), self.answers), "answers")
            for key, text in REASONS.items()
        ]
        claims = self._newest_claims
        over = sum(n for state, n in claims.items() if state != Assignment.State.ACTIVE)
        skipped, lost = (claims.get(s, 0) for s in (Assignment.State.RELEASED, Assignment.State.EXPIRED))
        return [
            *found,
            Returned(lazy("Skipped"), _rate(skipped, over), "claims"),
            Returned(lazy("Lease ran out"), _rate(lost, over), "claims"),
        ]

    @cached_property
    def _newest_claims(self) -> Mapping[str, int]:
        """By state, of the newest claims of the site, those of this project."""
        newest = Assignment.objects.order_by("-pk").values("pk")[:NEWEST_CLAIMS]
        mine = Assignment.objects.filter(pk__in=newest, task__project=self.project).order_by()
        return dict(mine.values_list("state").annotate(n=Count("pk")))

    @cached_property
    def weeks(self) -> list[tuple[date, Rate]]:
        """Agreement of the newest answers to tasks that several people answered."""
        read = overlapping_answers(self.project, most=MOST_ANSWERS)
        return [(week, rate) for week, rate in by_week(read.rows) if rate.n]

    # ------------------------------------------------------------------------------ by iteration, measured
    @cached_property
    def turns(self) -> list[Turn]:
        return turns_of(self.project, arm="main", last=LAST)

    @cached_property
    def readings(self) -> Readings:
        return readings_of(self.project, self.turns, NAMES)

    def newest(self, name: str) -> Reading | None:
        values = self.readings.get(name, {})
        turn = latest(self.turns, values)
        return values[turn.pk] if turn else None

    @cached_property
    def costs(self) -> list[Cost]:
        """Iterations in which people worked and rows were trained on, oldest first."""
        hours, rows = self.readings.get("people_hours", {}), self.readings.get("funnel", {})
        return [
            Cost(turn, spent.value, round(kept.value))
            for turn in self.turns
            if (spent := hours.get(turn.pk))
            and spent.value
            and (kept := rows.get(turn.pk))
            and kept.value
            and kept.value >= 1
        ]


def _rate(part: int, whole: int) -> Rate:
    """Of things that may happen more than once to one answer: never more than all of them."""
    part = min(part, whole)
    return Rate(part / whole, whole, 0, wilson(part, whole)) if whole else Rate(None, 0, 0, None)


# ------------------------------------------------------------------------------------------- what waits
_QUEUED = "project_id = %(project)s AND state = 'open' AND open_slots > 0 AND purpose = 'label' AND NOT named"
# In the order of the queue's index, so that it is read and not the table.
_EXACT = f"""SELECT kind, created_at, open_slots FROM annotate_annotationtask WHERE {_QUEUED}
    ORDER BY kind, priority * -1, id LIMIT %(most)s"""  # noqa: S608  (text of this module only)
_SAMPLE = f"""SELECT kind, created_at, open_slots
    FROM annotate_annotationtask TABLESAMPLE SYSTEM (%(share)s) REPEATABLE (1) WHERE {_QUEUED}"""  # noqa: S608
_YOUNGER = ", ".join(
    f"count(*) FILTER (WHERE created_at > %(now)s - interval '{hours} hours')" for hours in AGES
)
_STANDING = f"""
SELECT coalesce(kind, ''), count(*), coalesce(sum(open_slots), 0), {_YOUNGER},
    extract(epoch FROM %(now)s - percentile_disc(0.5) WITHIN GROUP (ORDER BY created_at))::float,
    extract(epoch FROM %(now)s - min(created_at))::float
FROM ({{rows}}) queued GROUP BY GROUPING SETS ((), (kind)) ORDER BY 1
"""  # noqa: S608
_PAGES = """
SELECT greatest(1, pg_relation_size('annotate_annotationtask') / current_setting('block_size')::int)
"""


def waiting_read(project: Project, now: datetime) -> list[Waiting]:
    """All that waits, then by kind: exact up to `EXACT` tasks, of more estimated from a sample of pages."""
    asked: dict[str, int | float | datetime] = {"project": project.pk, "now": now, "most": EXACT + 1}
    with connection.cursor() as cursor:
        cursor.execute(_STANDING.format(rows=_EXACT), asked)
        exact = [_waiting(row, 1.0) for row in cursor.fetchall()]
        if exact[0].tasks <= EXACT:
            return exact
        cursor.execute(_PAGES)
        share = min(100.0, 100 * SAMPLED / cursor.fetchone()[0])
        cursor.execute(_STANDING.format(rows=_SAMPLE), asked | {"share": share})
        return [_waiting(row, 100 / share) for row in cursor.fetchall()]


def _waiting(row: Sequence[Any], weight: float) -> Waiting:
    kind, tasks, wanted, *younger, middle, oldest = row
    steps = [after - before for before, after in pairwise([0, *younger, tasks])]
    return Waiting(
        kind=kind,
        tasks=round(tasks * weight),
        wanted=round(wanted * weight),
        median=middle,
        oldest=oldest,
        by_age=[round(n * weight) for n in steps],
        about=weight != 1,
    )

"""How each person annotates: right on known answers, the same on repeats, alike with others, how fast."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Max, OuterRef, QuerySet, Subquery, Sum
from django.utils import timezone

from loop.annotate.reliability import (
    Answered,
    Difference,
    GoldAccuracy,
    Judged,
    PreferenceConsistency,
    SideBias,
    Throughput,
    Trend,
    anchoring,
    gold_accuracy,
    preference_consistency,
    same_judgement,
    side_bias,
    throughput,
    trend,
)
from loop.evaluate.rates import Rate, accuracy
from loop.records import Author, Verdict
from webapp.accounts.models import User
from webapp.annotate.agreement import Alarm, falls, monday, overlapping_answers
from webapp.annotate.given import (
    FIELDS,
    Given,
    Person,
    answers_read,
    as_given,
    by_task,
    compared,
    judged,
    known,
    people_of,
    same,
)
from webapp.annotate.models import (
    Annotation,
    AnnotationTask,
    Assignment,
    DayCount,
    Flag,
    TaskKind,
    TaskPurpose,
)
from webapp.projects.models import Membership, Project
from webapp.traces.models import Critique

GOLD_LOW = 0.8  # an alarm where the whole interval lies below
REPEAT_LOW = 0.8
PACE_DAYS = 28
MOST = 10_000  # of one person's answers, the newest
MOST_GROUPS = 10
MOST_SKIPS = 5

Dated = tuple[date, "int | None", "bool | None"]  # day, guidelines' number, outcome


# ---------------------------------------------------------------------------------- everybody in a project
@dataclass(frozen=True, slots=True)
class Standing:
    """A row of the list. Rates are None-valued where nothing was measured."""

    person: Person
    role: str  # "" for who has left
    answers: int
    last: date | None
    per_hour: float | None  # over the last PACE_DAYS
    gold: Rate
    repeats: Rate
    others: Rate
    flags: int  # unresolved


@dataclass(frozen=True, slots=True)
class Standings:
    rows: list[Standing]
    alarms: list[Alarm]
    cut: bool  # some figures rest on the newest answers only


def standings(project: Project) -> Standings:
    """Everybody who is a member or has answered, most answers first. Constant number of queries."""
    counts = DayCount.objects.filter(project=project).order_by().values("user")
    totals = {r["user"]: r for r in counts.annotate(n=Sum("answers"), last=Max("day"))}
    recent = counts.filter(day__gt=timezone.now().date() - timedelta(days=PACE_DAYS), seconds__gt=0)
    pace = {r["user"]: r for r in recent.annotate(n=Sum("answers"), spent=Sum("seconds"))}
    roles = dict(Membership.objects.filter(project=project).values_list("user", "role"))
    open_flags = Flag.objects.filter(project=project, resolved_at=None).order_by().values_list("author")
    flags = dict(open_flags.annotate(n=Count("pk")))
    right, again, cut = _right_and_again(project)
    shared = overlapping_answers(project)
    others = _others(shared.rows)
    people = people_of({*totals, *roles})
    rows = [
        Standing(
            person=person,
            role=roles.get(pk, ""),
            answers=totals[pk]["n"] if pk in totals else 0,
            last=totals[pk]["last"] if pk in totals else None,
            per_hour=3600 * pace[pk]["n"] / pace[pk]["spent"] if pk in pace else None,
            gold=accuracy(o for _, _, o in right[pk]),
            repeats=accuracy(o for _, _, o in again[pk]),
            others=accuracy(o for _, _, o in others[pk]),
            flags=flags.get(pk, 0),
        )
        for pk, person in people.items()
    ]
    rows.sort(key=lambda r: (-r.answers, r.person.name.lower()))
    found = [alarm for r in rows for alarm in _alarms(r.person, right[r.person.pk], again[r.person.pk])]
    return Standings(rows, found, cut or shared.cut)


def people_alarms(project: Project) -> list[Alarm]:
    """The alarms of `standings` alone, by name."""
    right, again, _ = _right_and_again(project)
    people = sorted(people_of({*right, *again}).values(), key=lambda person: person.name.lower())
    return [alarm for one in people for alarm in _alarms(one, right[one.pk], again[one.pk])]


def gold_rates(project: Project, users: Iterable[int]) -> dict[int, Rate]:
    """How often each of these people was right on items whose answer is known, on their newest answers."""
    asked = Annotation.objects.filter(task__project=project, user__in=list(users))
    right = _by_person((said, same(truth, said)) for truth, said in _gold_rows(asked)[0])
    return {user: accuracy(outcome for _, _, outcome in outcomes) for user, outcomes in right.items()}


def _right_and_again(project: Project) -> tuple[dict[int, list[Dated]], dict[int, list[Dated]], bool]:
    """For each person: how known answers and repeats went; and whether there are more than were read."""
    answers = Annotation.objects.filter(task__project=project)
    gold, gold_cut = _gold_rows(answers)
    repeats, repeats_cut = _repeat_rows(answers)
    right = _by_person((said, same(truth, said)) for truth, said in gold)
    again = _by_person((later, same(earlier, later)) for earlier, later in repeats)
    return right, again, gold_cut or repeats_cut


def _alarms(person: Person, right: list[Dated], again: list[Dated]) -> list[Alarm]:
    alarms = []
    for key, outcomes, limit in (("gold", right, GOLD_LOW), ("repeats", again, REPEAT_LOW)):
        rate = accuracy(o for _, _, o in outcomes)
        if rate.ci95 and rate.ci95[1] < limit:
            alarms.append(Alarm(key, "", "", rate.value, rate.ci95, rate.n, limit, person=person))
        drift = _trend(outcomes)
        if falls(drift):
            alarms.append(Alarm(f"{key}_falls", n=drift.n, p_value=drift.p_value, person=person))
    return alarms


def _by_person(rows: Iterable[tuple[Given, bool | None]]) -> dict[int, list[Dated]]:
    people: dict[int, list[Dated]] = defaultdict(list)
    for said, outcome in rows:
        people[said.user].append((said.at.date(), said.version, outcome))
    return people


def _others(rows: Sequence[Given]) -> dict[int, list[Dated]]:
    """For each person: against every other answer to the same task, whether it says the same."""
    people: dict[int, list[Dated]] = defaultdict(list)
    for said in by_task(rows).values():
        for own in said:
            people[own.user] += [
                (own.at.date(), own.version, same(own, other)) for other in said if other.user != own.user
            ]
    return people


def _trend(rows: Iterable[Dated]) -> Trend:
    return trend((monday(day).toordinal() / 7, outcome) for day, _, outcome in rows)


def _gold_rows(answers: QuerySet[Annotation]) -> tuple[list[tuple[Given, Given]], bool]:
    """(known answer, answer given) of gold tasks.

    The answer as first given: who is told the known one, or sees their figures, may change theirs after it.
    """
    read = answers_read(answers.filter(task__purpose=TaskPurpose.GOLD, task__gold__isnull=False), most=MOST)
    tasks = {row.task for row in read.rows}
    golds = dict(AnnotationTask.objects.filter(pk__in=tasks).values_list("pk", "gold"))
    rows = [
        (known(said.task, said.kind, said.at, golds[said.task] or {}), said) for said in as_given(read.rows)
    ]
    return rows, read.cut


def _repeat_rows(answers: QuerySet[Annotation]) -> tuple[list[tuple[Given, Given]], bool]:
    """(first answer, answer to the silent repeat) by the same person."""
    again = answers.filter(task__purpose=TaskPurpose.REPEAT, task__repeat_of__isnull=False)
    first = Annotation.objects.filter(task=OuterRef("task__repeat_of"), user=OuterRef("user"))
    again = again.annotate(first=Subquery(first.values("pk")[:1])).filter(first__isnull=False)
    read = answers_read(again, most=MOST)
    earlier = dict(again.filter(pk__in=[row.pk for row in read.rows]).values_list("pk", "first"))
    firsts = {
        row[0]: Given(*row) for row in Annotation.objects.filter(pk__in=earlier.values()).values_list(*FIELDS)
    }
    return [(firsts[earlier[row.pk]], row) for row in read.rows if row.pk in earlier], read.cut


# --------------------------------------------------------------------------------------------- one person
@dataclass(frozen=True, slots=True)
class Drift:
    """A share over time and by guideline version, each with its interval; and whether it rises or falls."""

    all: Rate
    weeks: list[tuple[date, Rate]]
    versions: list[tuple[int | None, Rate]]
    trend: Trend


@dataclass(frozen=True, slots=True)
class Pace:
    figures: Throughput
    labels_per_hour: float | None  # step marks


@dataclass(frozen=True, slots=True)
class PersonFigures:
    person: Person
    answers: int  # of all days
    seconds: float
    days: list[tuple[date, int]]  # the last PACE_DAYS, every day
    gold: Drift
    gold_steps: GoldAccuracy
    repeats: Drift
    repeat_pairs: PreferenceConsistency
    others: Drift
    sides: list[SideBias]
    anchor: Difference
    pace: Pace
    outcomes: list[tuple[str, int]]  # of answers set aside
    skips: int
    expired: int
    skip_reasons: list[tuple[str, int]]
    flags: int
    read: int  # answers that pace, sides and anchoring rest on
    cut: bool
    alarms: list[Alarm]


def took_part(project: Project, user: User) -> bool:
    """Whether the person is a member of the project or has answered in it."""
    member = Membership.objects.filter(project=project, user=user)
    return member.exists() or DayCount.objects.filter(project=project, user=user).exists()


def person_figures(project: Project, user: User, *, until: datetime | None = None) -> PersonFigures:
    """Everything measured about one person in one project. Constant number of queries.

    ``until`` leaves later answers out of what compares: who looks at their own figures after each answer
    would else see which item's answer was known.
    """
    own = Annotation.objects.filter(user=user, task__project=project)
    rows = list(_own_rows(own))
    compared_with = own.filter(created_at__lt=until) if until else own
    gold, gold_cut = _gold_rows(compared_with)
    repeats, repeats_cut = _repeat_rows(compared_with)
    right = _dated((said, same(truth, said)) for truth, said in gold)
    again = _dated((later, same(earlier, later)) for earlier, later in repeats)
    days = DayCount.objects.filter(project=project, user=user)
    totals = days.aggregate(n=Sum("answers", default=0), spent=Sum("seconds", default=0.0))
    claims = Assignment.objects.filter(user=user, task__project=project)
    states = dict(claims.order_by().values_list("state").annotate(n=Count("pk")))
    released = claims.filter(state=Assignment.State.RELEASED).exclude(skip_reason="")
    person = people_of([user.pk])[user.pk]
    return PersonFigures(
        person=person,
        answers=totals["n"],
        seconds=totals["spent"],
        days=_days(days),
        gold=_drift(right),
        gold_steps=_gold_steps(gold),
        repeats=_drift(again),
        repeat_pairs=_repeat_pairs(repeats),
        others=_drift(_with_others(compared_with, user)),
        sides=side_bias(
            compared(r.given, r.ids, r.order)
            for r in rows
            if r.given.answered and r.given.kind == TaskKind.PREFERENCE and len(r.order) == len(r.ids)
        ),
        anchor=_anchoring(rows),
        pace=_pace(rows),
        outcomes=[
            (str(Annotation.Outcome(outcome).label), n)
            for outcome, n in Counter(r.given.outcome for r in rows if not r.given.answered).most_common()
        ],
        skips=states.get(Assignment.State.RELEASED, 0),
        expired=states.get(Assignment.State.EXPIRED, 0),
        skip_reasons=list(
            released.order_by()
            .values_list("skip_reason")
            .annotate(n=Count("pk"))
            .order_by("-n", "skip_reason")[:MOST_SKIPS]
        ),
        flags=Flag.objects.filter(project=project, author=user, reason=Flag.Reason.FLAG).count(),
        read=len(rows),
        cut=len(rows) == MOST or gold_cut or repeats_cut,
        alarms=_alarms(person, right, again),
    )


@dataclass(frozen=True, slots=True)
class _Own:
    """An answer with what only its author's own figures need."""

    given: Given
    seconds: float | None
    step_seconds: dict[str, float | None]
    order: list[int]
    shown: dict[str, Any]
    ids: list[Any]
    response: Any
    purpose: str


_OWN = ("seconds", "step_seconds", "shown", "task__response_ids", "task__response_id", "task__purpose")


def _own_rows(own: QuerySet[Annotation]) -> Iterable[_Own]:
    newest = own.order_by("-created_at").values_list(*FIELDS, *_OWN)[:MOST]
    for row in newest.iterator(chunk_size=2000):
        seconds, steps, shown, ids, response, purpose = row[len(FIELDS) :]
        given = Given(*row[: len(FIELDS)])
        yield _Own(given, seconds, steps or {}, shown.get("order") or [], shown, ids, response, purpose)


def _dated(rows: Iterable[tuple[Given, bool | None]]) -> list[Dated]:
    return [(said.at.date(), said.version, outcome) for said, outcome in rows]


def _drift(rows: list[Dated]) -> Drift:
    weeks = _rates((monday(day), outcome) for day, _, outcome in rows)
    versions = _rates(((number or 0), outcome) for _, number, outcome in rows)
    return Drift(
        accuracy(o for _, _, o in rows),
        weeks[-MOST_GROUPS:],
        [(number or None, rate) for number, rate in versions[-MOST_GROUPS:]],
        _trend(rows),
    )


def _rates(rows: Iterable[tuple[Any, bool | None]]) -> list[tuple[Any, Rate]]:
    groups: dict[Any, list[bool | None]] = defaultdict(list)
    for key, outcome in rows:
        groups[key].append(outcome)
    return [(key, accuracy(groups[key])) for key in sorted(groups)]


def _gold_steps(gold: list[tuple[Given, Given]]) -> GoldAccuracy:
    """Over step critiques; what was set aside counts as not sure."""
    unsure = Judged(Verdict.UNKNOWN)
    return gold_accuracy(
        (judged(truth), judged(said) if said.answered else unsure)
        for truth, said in gold
        if said.kind == TaskKind.STEP_CRITIQUE
    )


def _repeat_pairs(repeats: list[tuple[Given, Given]]) -> PreferenceConsistency:
    pairs = [(a, b) for a, b in repeats if a.kind == TaskKind.PREFERENCE and a.answered and b.answered]
    pks = [row.pk for pair in pairs for row in pair]
    found = Annotation.objects.filter(pk__in=pks).values_list("pk", "shown", "task__response_ids")
    shown = {pk: (seen.get("order") or [], ids) for pk, seen, ids in found}
    return preference_consistency(
        (compared(a, shown[a.pk][1], shown[a.pk][0]), compared(b, shown[b.pk][1], shown[b.pk][0]))
        for a, b in pairs
        if len(shown[a.pk][0]) == len(shown[b.pk][0]) >= 2
    )


def _with_others(own: QuerySet[Annotation], user: User) -> list[Dated]:
    """The person's newest label answers, each against every other answer to its task."""
    mine = own.filter(
        task__purpose=TaskPurpose.LABEL, task__answers__gte=2, outcome=Annotation.Outcome.ANSWERED
    )
    newest = list(mine.order_by("-created_at").values_list("task_id", flat=True)[: MOST // 2])
    read = answers_read(
        Annotation.objects.filter(task__in=newest, outcome=Annotation.Outcome.ANSWERED), most=MOST
    )
    return _others(read.rows)[user.pk]


def _anchoring(rows: list[_Own]) -> Difference:
    """Against the critique that was shown; where chance withheld it, the model's latest one at that time."""
    asked = [
        r
        for r in rows
        if r.given.answered
        and r.given.kind == TaskKind.STEP_CRITIQUE
        and r.purpose == TaskPurpose.LABEL
        and (r.shown.get("model_critique") or r.shown.get("withheld"))
    ]
    made = Critique.objects.filter(
        response__in={r.response for r in asked}, author_kind=Author.MODEL.value, parsed=True
    ).order_by("created_at")
    critiques: dict[Any, list[tuple[str, datetime, Judged]]] = defaultdict(list)
    for pk, response, at, verdict, first in made.values_list(
        "pk", "response", "created_at", "verdict", "first_error"
    ):
        critiques[response].append((str(pk), at, Judged(Verdict(verdict), first)))
    outcomes = []
    for r in asked:
        shown = r.shown.get("model_critique")
        there = [c for c in critiques[r.response] if c[0] == shown or (not shown and c[1] < r.given.at)]
        if there:
            outcomes.append((bool(shown), same_judgement(there[-1][2], judged(r.given))))
    return anchoring(outcomes)


def _pace(rows: list[_Own]) -> Pace:
    timed = throughput(Answered(r.seconds, [s for s in r.step_seconds.values() if s]) for r in rows)
    marks = sum(
        sum(mark is not None for mark in r.given.marks or []) for r in rows if r.given.answered and r.seconds
    )
    return Pace(timed, 3600 * marks / timed.seconds if timed.seconds and marks else None)


def _days(counts: QuerySet[DayCount]) -> list[tuple[date, int]]:
    today = timezone.now().date()
    first = today - timedelta(days=PACE_DAYS - 1)
    found = dict(counts.filter(day__gte=first).values_list("day", "answers"))
    return [(day, found.get(day, 0)) for day in (first + timedelta(days=i) for i in range(PACE_DAYS))]

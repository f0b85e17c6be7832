"""When a project's next iteration is due by itself: by clock, by what people answered, or by a metric's fall.

Pure: a `Plan` (what somebody wished for) and `Facts` (what is so now) give `Due`, `NotYet` or `Skip`. Who
asks keeps the facts and makes a `Due` happen once.

A due moment that cannot be used (quiet hours, spacing, another iteration open, machine off) stays due.
However many pass meanwhile, the newest stands for all of them: one start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MOST_COUNTED = 1000  # missed occurrences are counted up to here: a cron line may come due every minute


class Plan(BaseModel):
    """What somebody wished for. Times of day are in ``zone``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["clock", "data", "drift"]
    zone: str = "UTC"
    cron: str = Field("", description="clock: minute, hour, day of month, month, day of week")
    every: float | None = Field(None, gt=0, description="data: this many accepted answers, or this weight")
    weighted: bool = Field(False, description="data: answers count by how far people agree on them")
    metric: str = Field("", description="drift: the watched metric's name")
    drop: float | None = Field(None, gt=0, le=1, description="drift: a fall by this much (0.05 = 5 points)")
    min_hours: float = Field(0.0, ge=0, description="least time between two starts")
    max_hours: float | None = Field(
        None, gt=0, description="data, drift: start after this long without the threshold, if anything is new"
    )
    quiet_from: time | None = None
    quiet_to: time | None = None

    @field_validator("zone")
    @classmethod
    def _zone_is_known(cls, name: str) -> str:
        zone_named(name)
        return name

    @field_validator("cron")
    @classmethod
    def _cron_is_readable(cls, line: str) -> str:
        if line:
            cron_check(line)
        return " ".join(line.split())

    @model_validator(mode="after")
    def _complete(self) -> Plan:
        wants = {"clock": self.cron, "data": self.every, "drift": self.metric and self.drop}
        if not wants[self.kind]:
            missing = {
                "clock": "a schedule by clock needs a cron line",
                "data": "a schedule by answers needs a number of answers",
                "drift": "a schedule by alarm needs a metric and its fall in points",
            }
            raise ValueError(missing[self.kind])
        if self.kind == "clock" and self.max_hours is not None:
            raise ValueError("a schedule by clock has no longest spacing: its cron line says when")
        if self.max_hours is not None and self.max_hours < self.min_hours:
            raise ValueError("the longest spacing is shorter than the least")
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("quiet hours need both a beginning and an end")
        if self.quiet_from is not None and self.quiet_from == self.quiet_to:
            raise ValueError("quiet hours that begin when they end would be the whole day")
        return self


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of the watched metric. ``high``: the upper end of its 95 % interval, if it has one."""

    key: str
    value: float
    high: float | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What is so at ``now``. All times are aware."""

    now: datetime
    since: datetime  # what came due up to here is settled: started, or from before it was switched on
    fired_at: datetime | None  # the last start, for the spacing
    firings: int = 0  # starts so far
    answers: int = 0  # accepted since the last start
    weight: float = 0.0  # the same, weighted by agreement
    readings: Sequence[Reading] = ()  # of the watched metric since the last start, oldest first
    busy: str = ""  # why the project cannot start one now


@dataclass(frozen=True, slots=True)
class Due:
    """Start one. ``key`` names the occasion: whoever acts on it must find it unused."""

    key: str
    because: str
    missed: int = 0  # earlier occurrences that this start stands for as well


@dataclass(frozen=True, slots=True)
class Skip:
    """It is due, but ``reason``; the occasion stays due."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class NotYet:
    """``at``: when the clock alone makes it due, None where that waits for people or measurements.

    ``held`` says what keeps a due start back until then.
    """

    at: datetime | None
    held: Literal["", "quiet", "spacing"] = ""


def decide(plan: Plan, facts: Facts) -> Due | NotYet | Skip:
    """What to do now."""
    due = _occasion(plan, facts)
    if due is None:
        nearest = _clock_alone(plan, facts)
        return NotYet(None if nearest is None else _allowed(plan, facts, nearest))
    opens = _allowed(plan, facts, facts.now)
    if opens > facts.now:
        return NotYet(opens, "quiet" if in_quiet_hours(plan, facts.now) else "spacing")
    return Skip(due.key, facts.busy) if facts.busy else due


def _occasion(plan: Plan, facts: Facts) -> Due | None:
    """What is due now, whether or not it may be used at this moment."""
    if plan.kind == "clock":
        return _by_clock(plan, facts)
    key = f"{plan.kind}-{facts.firings + 1}"
    because = _by_data(plan, facts) if plan.kind == "data" else _by_drift(plan, facts)
    latest = _latest(plan, facts)
    if because is None and latest is not None and latest <= facts.now and _anything_new(plan, facts):
        because = f"{plan.max_hours:g} hours passed since the last start"
    return None if because is None else Due(key, because)


def _by_clock(plan: Plan, facts: Facts) -> Due | None:
    last = occurrence_before(plan, facts.now)
    if last is None or last <= facts.since:
        return None
    passed = 0
    for at in islice(occurrences(plan, facts.since), MOST_COUNTED + 1):
        if at > facts.now:
            break
        passed += 1
    return Due(f"{last:%Y-%m-%dT%H:%MZ}", f"due at {last:%Y-%m-%d %H:%M} UTC", missed=max(passed - 1, 0))


def _by_data(plan: Plan, facts: Facts) -> str | None:
    assert plan.every is not None
    if plan.weighted:
        reached = facts.weight >= plan.every - 1e-9
        return f"new examples weigh {facts.weight:.4g} by agreement" if reached else None
    return f"{facts.answers} answers newly accepted" if facts.answers >= plan.every else None


def _by_drift(plan: Plan, facts: Facts) -> str | None:
    """The newest reading against the best one since the last start.

    A fall counts only where the newest reading's whole interval lies below the best: noise is no drift.
    """
    assert plan.drop is not None
    if len(facts.readings) < 2:
        return None
    *earlier, newest = facts.readings
    best = max(r.value for r in earlier)
    fell = best - newest.value >= plan.drop - 1e-9
    sure = newest.high is None or newest.high < best
    return f"{plan.metric} fell from {best:.3f} to {newest.value:.3f}" if fell and sure else None


def _anything_new(plan: Plan, facts: Facts) -> bool:
    return plan.kind == "drift" or facts.answers > 0


def _latest(plan: Plan, facts: Facts) -> datetime | None:
    if plan.max_hours is None:
        return None
    return (facts.fired_at or facts.since) + timedelta(hours=plan.max_hours)


def _clock_alone(plan: Plan, facts: Facts) -> datetime | None:
    if plan.kind == "clock":
        return next(occurrences(plan, facts.now), None)
    return _latest(plan, facts) if _anything_new(plan, facts) else None


# ------------------------------------------------------------------------------ spacing and quiet hours
def _allowed(plan: Plan, facts: Facts, at: datetime) -> datetime:
    """The first moment from ``at`` on that keeps the spacing and is not in quiet hours."""
    if facts.fired_at is not None:
        at = max(at, facts.fired_at + timedelta(hours=plan.min_hours))
    return quiet_end(plan, at)


def in_quiet_hours(plan: Plan, at: datetime) -> bool:
    """Beginning included, end not. An end before the beginning lies on the next day."""
    if plan.quiet_from is None or plan.quiet_to is None:
        return False
    clock = at.astimezone(zone_named(plan.zone)).time()
    if plan.quiet_from < plan.quiet_to:
        return plan.quiet_from <= clock < plan.quiet_to
    return clock >= plan.quiet_from or clock < plan.quiet_to


def quiet_end(plan: Plan, at: datetime) -> datetime:
    """``at`` itself outside quiet hours, else the moment they end."""
    if not in_quiet_hours(plan, at):
        return at
    assert plan.quiet_to is not None
    zone = zone_named(plan.zone)
    today = at.astimezone(zone).date()
    # An hour that a clock change repeats has its end twice, one that it leaves out ends when it would have.
    ends = (
        datetime.combine(today + timedelta(days=day), plan.quiet_to, zone).replace(fold=fold).astimezone(UTC)
        for day in (0, 1, 2)
        for fold in (0, 1)
    )
    return min(end for end in ends if end > at and not in_quiet_hours(plan, end))


# ------------------------------------------------------------------------------------------------ the clock
def cron_check(line: str) -> None:
    """Refuse a cron line that cannot be read or never comes due.

    Raises:
        ValueError: the sentence says why.
    """
    if len(line.split()) != 5:
        raise ValueError("a cron line has five parts: minute, hour, day of month, month, day of week")
    try:
        next(CronSim(line, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"the cron line cannot be read: {str(error).lower()}") from error
    except StopIteration as error:
        raise ValueError("the cron line never comes due") from error


def zone_named(name: str) -> ZoneInfo:
    """The time zone.

    Raises:
        ValueError: no such zone.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as error:  # ZoneInfoNotFoundError is a LookupError
        raise ValueError(f"no time zone called {name!r}") from error


def occurrences(plan: Plan, after: datetime) -> Iterator[datetime]:
    """When the cron line comes due after ``after``, in UTC, ascending. Over a clock change as Debian's cron:
    an hour left out is made up for at once, an hour repeated runs once (but for lines with a star there)."""
    for at in CronSim(plan.cron, after.astimezone(zone_named(plan.zone))):
        found = at.astimezone(UTC)
        if found > after:  # in a repeated hour the library may begin with the first of the two
            yield found


def occurrence_before(plan: Plan, until: datetime) -> datetime | None:
    """The newest occurrence up to ``until``, in UTC; None within the library's fifty years."""
    start = (until + timedelta(seconds=1)).astimezone(zone_named(plan.zone))
    for at in CronSim(plan.cron, start, reverse=True):
        found = at.astimezone(UTC)
        if found <= until:
            return found
    return None

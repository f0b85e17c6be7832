"""What the schedules pages and the command show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.db.models import Prefetch
from django.utils import timezone

from loop.schedule import Facts, NotYet, Plan, decide
from webapp.projects.models import Project
from webapp.schedules.models import Schedule, ScheduleRun, Tally
from webapp.schedules.services.counting import reached_at_most
from webapp.schedules.words import plan_words

LAST = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """A schedule as a page shows it. ``reached``: of ``plan.every``, at most this much is there."""

    schedule: Schedule
    plan: Plan
    words: str
    runs: list[ScheduleRun]
    reached: float | None


def schedules_of(project: Project) -> list[Shown]:
    """All of a project with their last outcomes; a constant number of queries."""
    runs = ScheduleRun.objects.select_related("iteration").order_by("-id")[:LAST]
    rows = project.schedules.select_related("tally").prefetch_related(Prefetch("runs", runs, to_attr="last"))
    now = timezone.now()
    return [_shown(row, row.last, now) for row in rows]


def schedule_for(project: Project, pk: int) -> Schedule:
    """Raises Schedule.DoesNotExist: none with this number in the project."""
    return project.schedules.select_related("tally", "created_by", "project").get(pk=pk)


def shown_of(schedule: Schedule, runs: list[ScheduleRun]) -> Shown:
    return _shown(schedule, runs, timezone.now())


def _shown(schedule: Schedule, runs: list[ScheduleRun], now: datetime) -> Shown:
    plan = schedule.planned
    tally: Tally | None = getattr(schedule, "tally", None)
    reached = reached_at_most(tally, plan, now) if plan.kind == "data" and tally is not None else None
    return Shown(schedule, plan, plan_words(plan), runs, reached)


def next_times(plan: Plan, now: datetime, most: int = 3) -> list[datetime]:
    """When a clock starts next if every start is made at once: quiet hours and spacing are kept."""
    if plan.kind != "clock":
        return []

    def starts() -> Any:
        at, since, fired = now, now, None
        while True:
            found = decide(plan, Facts(now=at, since=since, fired_at=fired))
            if isinstance(found, NotYet):
                if found.at is None:
                    return
                at = found.at
            else:
                yield at
                since = fired = at

    return [at.astimezone(UTC) for at in islice(starts(), most)]


def as_dict(shown: Shown) -> dict[str, Any]:
    """For the command: what a script needs."""
    row = shown.schedule
    return {
        "id": row.pk,
        "name": row.name,
        "enabled": row.enabled,
        "words": shown.words,
        "plan": row.plan,
        "recipe": row.recipe,
        "changes": row.changes,
        "next_at": row.next_at.isoformat() if row.next_at else None,
        "held": row.held or None,
        "reached_at_most": shown.reached,
        "fired_at": row.fired_at.isoformat() if row.fired_at else None,
        "firings": row.firings,
        "last": [
            {
                "outcome": run.outcome,
                "key": run.key,
                "reason": run.reason,
                "missed": run.missed,
                "iteration": run.iteration.number if run.iteration else None,
                "at": run.at.isoformat(),
            }
            for run in shown.runs
        ],
    }

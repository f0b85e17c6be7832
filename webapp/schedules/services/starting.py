"""Looking at schedules, and starting what is due: once, whoever looks and however many.

The schedule's row is locked first, then its project's; what was due, what came of it and the iteration itself
are one transaction, and the occasion's key is unique. Who comes second finds the row locked and looks away,
or finds the occasion used.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from loop.overrides import changed
from loop.recipe import Recipe, RecipeError, recipe_named
from loop.schedule import Due, NotYet, Plan, Skip, decide
from webapp.accounts.models import User
from webapp.events import notify
from webapp.iterations.models import Iteration
from webapp.iterations.services import IterationError, iteration_start
from webapp.notices.models import Event
from webapp.notices.services import notice_add
from webapp.projects.models import Project
from webapp.projects.services.setup import audit_record
from webapp.schedules.models import Schedule, ScheduleRun
from webapp.schedules.services import counting
from webapp.schedules.services.errors import ScheduleError
from webapp.schedules.services.facts import answers_reached, busy_with, facts_of, tally_of
from webapp.schedules.services.measuring import champion_measure

log = structlog.get_logger()

LOOK = timedelta(seconds=10)  # between two looks at a schedule that waits for people, or for its project
LOOK_AT_METRICS = timedelta(minutes=2)  # they change when a stage or a measuring ends
RETRY = timedelta(hours=1)  # after a start that failed
AT_ONCE = 100

Outcome = ScheduleRun.Outcome


def schedules_look(*, now: datetime | None = None) -> int:
    """Look at every schedule whose time has come; returns how many iterations were started."""
    now = now or timezone.now()
    ripe = Schedule.objects.filter(enabled=True, look_at__lte=now).order_by("look_at")
    return sum(_look_safely(pk, now) for pk in list(ripe.values_list("pk", flat=True)[:AT_ONCE]))


def _look_safely(pk: int, now: datetime) -> bool:
    try:
        return _look(pk, now)
    except (OperationalError, InterfaceError):
        raise  # the database is away: the caller waits for it
    except Exception:
        log.exception("schedule could not be looked at", schedule=pk)
        Schedule.objects.filter(pk=pk).update(look_at=now + RETRY)
        return False


@transaction.atomic
def _look(pk: int, now: datetime) -> bool:
    rows = Schedule.objects.select_for_update(skip_locked=True, of=("self",)).select_related("project")
    schedule = rows.filter(pk=pk, enabled=True, look_at__lte=now).first()
    if schedule is None:  # somebody else is at it, or was
        return False
    plan = schedule.planned
    if plan.kind == "drift" and not busy_with(schedule.project):  # an iteration measures by itself
        champion_measure(project=schedule.project, plan=plan, now=now)
    found = _decided(schedule, plan, now)
    if isinstance(found, Due):
        return _start(schedule, plan, found, now)
    if isinstance(found, Skip):
        _skip(schedule, found, now)
    _note(schedule, plan, found, now)
    return False


def _decided(schedule: Schedule, plan: Plan, now: datetime) -> Due | Skip | NotYet:
    """First by what is cheap to know; what is due is then looked at closely, with the project locked."""
    facts = facts_of(schedule, plan, now)
    found = decide(plan, facts)
    if not isinstance(found, Due):
        return found
    facts = replace(facts, busy=busy_with(_project_locked(schedule)))
    told = schedule.runs.filter(key=found.key, outcome=Outcome.SKIPPED).exists()
    if plan.kind == "data" and not (facts.busy and told):
        answers, weight = answers_reached(schedule, plan, now)
        facts = replace(facts, answers=answers, weight=weight)
    return decide(plan, facts)


def _project_locked(schedule: Schedule) -> Project:
    """As `iteration_start` locks it: nobody opens an iteration between the look and the start."""
    return Project.objects.select_for_update(no_key=True).get(pk=schedule.project_id)


def _note(schedule: Schedule, plan: Plan, found: Skip | NotYet | Due, now: datetime) -> None:
    """Keep what the page shows, and when to look again."""
    schedule.held = found.held if isinstance(found, NotYet) else ""
    schedule.next_at = found.at if isinstance(found, NotYet) else None
    by_time = isinstance(found, NotYet) and found.at is not None and (plan.kind == "clock" or found.held)
    wait = LOOK_AT_METRICS if plan.kind == "drift" and isinstance(found, NotYet) else LOOK
    schedule.look_at = schedule.next_at if by_time and schedule.next_at else now + wait
    schedule.save()


def _skip(schedule: Schedule, found: Skip, now: datetime) -> None:
    """Said once for each occasion, not at each look."""
    made = ScheduleRun.objects.get_or_create(
        schedule=schedule,
        key=found.key,
        defaults={"outcome": Outcome.SKIPPED, "reason": found.reason, "at": now},
    )[1]
    if made:
        _tell(schedule, Event.SCHEDULE_SKIPPED, found.key, "was due and could not start", found.reason)


def _start(schedule: Schedule, plan: Plan, due: Due, now: datetime) -> bool:
    run = schedule.runs.filter(key=due.key).first()
    if run is not None and run.outcome == Outcome.STARTED:
        raise RuntimeError(f"{due.key} of schedule {schedule.pk} was started before")
    again = run is not None and run.outcome == Outcome.FAILED
    run = run or ScheduleRun(schedule=schedule, key=due.key)
    run.missed, run.at = due.missed, now
    try:
        run.iteration = _iteration(schedule)
    except (IterationError, RecipeError) as error:
        run.outcome, run.reason = Outcome.FAILED, str(error)
        run.save()
        schedule.next_at, schedule.look_at = now + RETRY, now + RETRY
        schedule.save()
        if not again:
            _tell(schedule, Event.SCHEDULE_FAILED, due.key, "could not start an iteration", str(error))
        return False
    waited = f" ({run.reason} until then)" if run.outcome == Outcome.SKIPPED and run.reason else ""
    run.outcome, run.reason = Outcome.STARTED, due.because + waited
    run.save()
    _fired(schedule, plan, now)
    _tell(schedule, Event.SCHEDULE_STARTED, due.key, f"started {run.iteration}", run.reason)
    return True


def _iteration(schedule: Schedule) -> Iteration:
    with transaction.atomic():  # what fails leaves nothing behind, and the row that says so stays
        return iteration_start(
            project=schedule.project,
            recipe=recipe_of(schedule.recipe, schedule.changes),
            simulate_annotators=schedule.simulate_annotators,
        )


def recipe_of(name: str, changes: list[str]) -> Recipe:
    """The recipe with the schedule's changes.

    Raises:
        RecipeError: no such recipe, or the changes do not fit it.
    """
    return changed(recipe_named(name), changes)


def _fired(schedule: Schedule, plan: Plan, now: datetime) -> None:
    schedule.since = schedule.fired_at = now
    schedule.firings += 1
    if plan.kind == "data":
        counting.tally_restart(tally_of(schedule), schedule.project)
    _note(schedule, plan, decide(plan, facts_of(schedule, plan, now)), now)


@transaction.atomic
def schedule_run(*, schedule: Schedule, by: User | None, now: datetime | None = None) -> ScheduleRun:
    """Start its iteration now, quiet hours and spacing or not. It counts as a start like any other.

    Raises:
        ScheduleError: the project is busy, or the iteration cannot be started; nothing is written.
    """
    now = now or timezone.now()
    rows = Schedule.objects.select_for_update(of=("self",)).select_related("project")
    schedule = rows.get(pk=schedule.pk)
    if busy := busy_with(_project_locked(schedule)):
        raise ScheduleError(f"Not started: {busy}.")
    try:
        iteration = _iteration(schedule)
    except (IterationError, RecipeError) as error:
        raise ScheduleError(f"Not started: {error}.") from error
    run = ScheduleRun.objects.create(
        schedule=schedule,
        key=f"asked-{schedule.firings + 1}",
        outcome=Outcome.STARTED,
        reason="asked for by hand",
        iteration=iteration,
        asked_by=by,
        at=now,
    )
    _fired(schedule, schedule.planned, now)
    audit_record(project=schedule.project, actor=by, verb="schedule run by hand", target=schedule.name)
    return run


def _tell(schedule: Schedule, event: Event, key: str, what: str, text: str) -> None:
    notice_add(
        project=schedule.project,
        event=event,
        key=f"schedule {schedule.pk} {key} {event.value}",
        title=f"schedule “{schedule.name}” {what}",
        text=text[:1].upper() + text[1:] + ".",
        page=("schedule", schedule.pk),
        facts={"schedule": schedule.name, "recipe": schedule.recipe},
    )
    notify(project_id=schedule.project_id, what="schedule")

"""Schedules made, changed, switched and removed by a project's administrators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from loop.recipe import RecipeError
from loop.schedule import NotYet, Plan, decide
from webapp.accounts.models import User
from webapp.projects.models import Project
from webapp.projects.selectors import built_in
from webapp.projects.services.setup import audit_record
from webapp.schedules.models import Schedule, Tally
from webapp.schedules.services import counting
from webapp.schedules.services.errors import ScheduleError
from webapp.schedules.services.facts import WATCHED, facts_of
from webapp.schedules.services.starting import recipe_of


@transaction.atomic
def schedule_set(
    *,
    project: Project,
    schedule: Schedule | None = None,
    name: str,
    plan: Plan,
    recipe: str,
    changes: Sequence[str] = (),
    simulate_annotators: bool = False,
    by: User | None,
    now: datetime | None = None,
) -> Schedule:
    """Make a schedule, or change the one given. A changed plan holds from now: nothing is caught up by it.

    Raises:
        ScheduleError: the recipe or its changes cannot be used, the metric is unknown, or the name is taken.
    """
    now = now or timezone.now()
    wanted = [line.strip() for line in changes if line.strip()]
    try:
        recipe_of(recipe, wanted)
    except RecipeError as error:
        raise ScheduleError(f"{error}.") from error
    if any(len(line) > 200 for line in wanted):
        raise ScheduleError("A changed setting is at most 200 characters long.")
    if plan.kind == "drift" and plan.metric not in WATCHED:
        raise ScheduleError(f"No metric called {plan.metric} is watched.")
    if simulate_annotators and project.prompts.filter(split="train").exclude(built_in()).exists():
        raise ScheduleError("Only prompts of the built-in arithmetic domain can be answered by a program.")
    made = schedule is None
    row = (
        Schedule(project=project, created_by=by, since=now)
        if schedule is None
        else Schedule.objects.select_for_update().get(pk=schedule.pk)
    )
    kept = not made and row.plan == plan.model_dump(mode="json")
    row.name, row.recipe, row.changes = name.strip(), recipe, wanted
    row.simulate_annotators, row.plan = simulate_annotators, plan.model_dump(mode="json")
    row.since = row.since if kept else now
    row.look_at = now
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise ScheduleError(f"There is a schedule called {row.name} already.") from error
    if plan.kind != "data":
        Tally.objects.filter(schedule=row).delete()
    elif not Tally.objects.filter(schedule=row).exists():
        counting.tally_make(schedule=row)
    found = decide(plan, facts_of(row, plan, now))
    row.next_at = found.at if isinstance(found, NotYet) else now
    row.save(update_fields=["next_at"])
    verb = "schedule made" if made else "schedule changed"
    audit_record(project=project, actor=by, verb=verb, target=row.name, data={"plan": row.plan})
    return row


@transaction.atomic
def schedule_enable(*, schedule: Schedule, on: bool, by: User | None, now: datetime | None = None) -> None:
    """Switch it on or off. What its clock passed while it was off is not caught up; answers still count."""
    now = now or timezone.now()
    row = Schedule.objects.select_for_update().get(pk=schedule.pk)
    if on and not row.enabled:
        row.since = row.look_at = now
    row.enabled, row.held, row.next_at = on, "", None
    row.save()
    verb = "schedule switched on" if on else "schedule switched off"
    audit_record(project=row.project, actor=by, verb=verb, target=row.name)


@transaction.atomic
def schedule_remove(*, schedule: Schedule, by: User | None) -> None:
    """Remove it with its history. The iterations it started stay."""
    audit_record(project=schedule.project, actor=by, verb="schedule removed", target=schedule.name)
    schedule.delete()

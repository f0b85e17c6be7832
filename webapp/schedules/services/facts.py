"""What is so now, as the rule wants to know it."""

from __future__ import annotations

from datetime import datetime
from math import ceil

from django.utils.translation import gettext_lazy as _

from loop.evaluate.rates import accuracy
from loop.schedule import Facts, Plan, Reading
from loop.stages import OPEN, Status
from webapp.iterations.models import Iteration, WorkUnit
from webapp.metrics.models import MetricValue
from webapp.projects.models import Project
from webapp.registry.models import Evaluation
from webapp.schedules.models import Schedule, Tally
from webapp.schedules.services import counting

READINGS = 50

# Metrics for which a fall is bad news, by name. Those with a colon are measurements of the champion.
WATCHED = {
    "champion:heldout": _("the champion’s held-out accuracy"),
    "champion:probe": _("the champion’s probe accuracy"),
    "samples_right": _("the share of samples that are right"),
    "pass_at_k": _("pass@k of the samples"),
    "critic_agrees_with_checker": _("the critic’s agreement with the checker"),
    "people_agree_with_checker": _("people’s agreement with the checker"),
    "heldout_after": _("the challengers’ held-out accuracy"),
}


def facts_of(schedule: Schedule, plan: Plan, now: datetime) -> Facts:
    """Without who is in the way. What people answered is an upper bound, see `answers_reached`."""
    most = 0.0
    if plan.kind == "data":
        tally = tally_of(schedule)
        counting.tally_update(tally, schedule.project)
        most = counting.reached_at_most(tally, plan, now)
    return Facts(
        now=now,
        since=schedule.since,
        fired_at=schedule.fired_at,
        firings=schedule.firings,
        answers=ceil(most),
        weight=most,
        readings=readings_of(schedule, plan) if plan.kind == "drift" else (),
    )


def answers_reached(schedule: Schedule, plan: Plan, now: datetime) -> tuple[int, float]:
    """(answers, weight) since the last start, of which the one that the plan asks for is exact."""
    found = counting.reached(tally_of(schedule), plan, schedule.project, now)
    return ceil(found), found


def tally_of(schedule: Schedule) -> Tally:
    found = Tally.objects.filter(schedule=schedule).first()
    return found or counting.tally_make(schedule=schedule)


def busy_with(project: Project) -> str:
    """Why no iteration of the project can start now; "" if one can."""
    in_the_way = Iteration.objects.filter(project=project, status__in=[*OPEN, Status.PAUSED.value])
    if open_one := in_the_way.first():
        return f"{open_one} was still open"
    runs = WorkUnit.objects.filter(project=project, iteration=None, kind="train", held=False)
    if runs.filter(state__in=[WorkUnit.State.QUEUED, WorkUnit.State.RUNNING]).exists():
        return "a training run was under way"
    return ""


def readings_of(schedule: Schedule, plan: Plan) -> list[Reading]:
    """The watched metric since the last start, and the one reading before it that later ones compare with."""
    source, _, split = plan.metric.partition(":")
    newest = (
        _of_champion(schedule.project, split)
        if source == "champion"
        else _of_metric(schedule.project, source)
    )
    begin = schedule.fired_at or schedule.since
    later = [r for r in newest if r.at > begin]
    earlier = [r for r in newest if r.at <= begin]
    return [*earlier[-1:], *later]


def _of_metric(project: Project, name: str) -> list[Reading]:
    rows = MetricValue.objects.filter(project=project, name=name, value__isnull=False)
    rows = rows.exclude(iteration__arm=Iteration.Arm.SHUFFLED).order_by("-id")
    newest = rows.values_list("pk", "value", "high", "created_at")[:READINGS]
    return [
        Reading(str(pk), value, high, at) for pk, value, high, at in reversed(newest) if value is not None
    ]


def _of_champion(project: Project, split: str) -> list[Reading]:
    """Whoever is champion now, on each set of prompts it was measured on: new prompts make a new set."""
    rows = Evaluation.objects.filter(model_version=project.champion_id, split=split, done=True)
    plain = [e for e in rows.order_by("-id")[:READINGS] if not {"shots", "best_of"} & set(e.sampling)]
    readings = []
    for found in reversed(plain):
        scored = found.n - found.errors
        rate = accuracy([True] * found.right + [False] * (scored - found.right))
        if rate.value is not None:
            high = rate.ci95[1] if rate.ci95 else None
            readings.append(Reading(f"e{found.pk}", rate.value, high, found.created_at))
    return readings

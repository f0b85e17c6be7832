"""A plan in plain words, and its cron line where it is one that people would say."""

from __future__ import annotations

import re
from datetime import time

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loop.schedule import Plan
from webapp.schedules.services.facts import WATCHED

NUMBER = re.compile(r"\d{1,2}")
STEP = re.compile(r"\*/(\d{1,2})")
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


def plan_words(plan: Plan) -> str:
    """One sentence: when, how far apart, and when not."""
    said = [_when(plan)]
    if plan.min_hours:
        said.append(_("at least {hours} apart").format(hours=hours_words(plan.min_hours)))
    if plan.max_hours is not None:
        late = _("at the latest {hours} after the last start if anything is new")
        said.append(late.format(hours=hours_words(plan.max_hours)))
    if plan.quiet_from is not None and plan.quiet_to is not None:
        zone = "" if plan.kind == "clock" else f" {plan.zone}"
        quiet = _("not between {begin} and {end}{zone}")
        said.append(quiet.format(begin=_clock(plan.quiet_from), end=_clock(plan.quiet_to), zone=zone))
    return ", ".join(said) + "."


def hours_words(hours: float) -> str:
    number = f"{hours:g}"
    return ngettext("{n} hour", "{n} hours", 1 if hours == 1 else 2).format(n=number)


def _when(plan: Plan) -> str:
    if plan.kind == "clock":
        return f"{cron_words(plan.cron)} {plan.zone}"
    if plan.kind == "drift":
        watched = WATCHED.get(plan.metric, plan.metric)
        fall = _("When {metric} falls by {points} points below its best since the last start")
        return fall.format(metric=watched, points=f"{100 * (plan.drop or 0):g}")
    amount = f"{plan.every:g}"
    if plan.weighted:
        return _("Whenever new examples weigh {n} by agreement").format(n=amount)
    return _("After every {n} newly accepted answers").format(n=amount)


def cron_words(line: str) -> str:
    """The line as people say it; what nobody would say is shown as it is."""
    minute, hour, day, month, weekday = line.upper().split()
    fallback = _("At the times of the cron line {line},").format(line=line)
    if month != "*":
        return fallback
    if hour == day == weekday == "*" and (step := STEP.fullmatch(minute)):
        return _("Every {n} minutes,").format(n=step[1])
    if not NUMBER.fullmatch(minute):
        return fallback
    if day == weekday == "*":
        if hour == "*":
            return _("Every hour at minute {m},").format(m=int(minute))
        if step := STEP.fullmatch(hour):
            return _("Every {n} hours at minute {m},").format(n=step[1], m=int(minute))
    days = _days(day, weekday)
    if days is None or not all(NUMBER.fullmatch(h) for h in hour.split(",")):
        return fallback
    times = [_clock(time(int(h), int(minute))) for h in hour.split(",")]
    return _("{days} at {times}").format(days=days, times=", ".join(times))


def _days(day: str, weekday: str) -> str | None:
    if day == weekday == "*":
        return _("Every day")
    if weekday == "*" and NUMBER.fullmatch(day):
        return _("On day {day} of every month").format(day=int(day))
    if day != "*":
        return None
    if weekday in ("1-5", "MON-FRI"):
        return _("From Monday to Friday")
    named = [
        DAYS.index(d) if d in DAYS else int(d) % 7 if NUMBER.fullmatch(d) else -1 for d in weekday.split(",")
    ]
    if -1 in named:
        return None
    # Django counts days from Monday, cron from Sunday.
    return _("Every {days}").format(days=", ".join(str(WEEKDAYS[(d - 1) % 7]) for d in named))


def _clock(at: time) -> str:
    return f"{at:%H:%M}"

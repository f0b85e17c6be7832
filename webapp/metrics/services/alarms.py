"""Alarms: the rules applied to what was measured of an iteration, and what people do about them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop as _noop

from loop.evaluate.alarms import RULES, START, Fired, Rule, Seen, Turn, fired
from loop.stages import Stage
from webapp.accounts.models import User
from webapp.events import notify
from webapp.iterations.models import Iteration, WorkUnit
from webapp.iterations.services.measures import KIND
from webapp.metrics import measures
from webapp.metrics.models import Alarm, AlarmRule, MetricValue
from webapp.metrics.signals import alarm_fired
from webapp.projects.models import Project
from webapp.projects.services.setup import audit_record

log = structlog.get_logger()

LOOKED_BACK = 10  # earlier iterations at most: no rule looks further than two of a kind, and to the start


class AlarmRefused(Exception):
    """The message says what to do."""


# ---- what was seen --------------------------------------------------------------------------------


def alarms_evaluate(*, iteration: Iteration) -> list[Alarm]:
    """Look through the rules once a stage was measured; returns the iteration's alarms that hold now.

    Safe to repeat: an alarm is written once and told once, its numbers follow what was measured anew, and one
    that no longer holds is taken back unless somebody dealt with it. A rule whose figures are not there yet
    says nothing, so the order in which stages are measured does not matter. Later iterations, whose history
    this is, are looked at again; there are none unless it is measured anew.
    """
    holding = _looked_through(iteration)
    if iteration.arm == Iteration.Arm.MAIN:
        for later in _after(iteration):
            _looked_through(later)
    return holding


def _after(iteration: Iteration) -> QuerySet[Iteration]:
    """Those that have this one in their history; they all have the first."""
    main = _main(iteration.project_id).select_related("project")
    later = main.filter(number__gt=iteration.number).order_by("number")
    first = not main.filter(number__lt=iteration.number, metrics__name=START).exists()
    return later if first else later[:LOOKED_BACK]


def _main(project_id: int) -> QuerySet[Iteration]:
    return Iteration.objects.filter(project_id=project_id, arm=Iteration.Arm.MAIN)


@transaction.atomic
def _looked_through(iteration: Iteration) -> list[Alarm]:
    # One at a time: stages are measured side by side, and who read too early must not take back an alarm.
    Iteration.objects.select_for_update(no_key=True, of=("self",)).get(pk=iteration.pk)
    own = {row.key: row for row in iteration.project.alarm_rules.all()}
    now, history = turns_of(iteration)
    known = {alarm.key: alarm for alarm in iteration.alarms.all()}
    holding: list[Alarm] = []
    changed = False
    for key, rule in RULES.items():
        mine = own.get(key)
        said = None
        if mine is None or mine.enabled:
            said = fired(rule, now, history, mine.limit if mine else None)
        alarm = known.get(key)
        if said is not None:
            alarm, new = _write(iteration, rule, mine, said, now, alarm)
            holding.append(alarm)
            changed |= new
        elif alarm is not None and alarm.seen_at is None:
            alarm.delete()
            changed = True
    if changed:
        notify(project_id=iteration.project_id, iteration_id=iteration.pk, what="alarm")
    return holding


def _write(
    iteration: Iteration, rule: Rule, own: AlarmRule | None, said: Fired, now: Turn, alarm: Alarm | None
) -> tuple[Alarm, bool]:
    values = {
        "level": rule.level,
        "metric": said.metric,
        "text": said.text,
        "facts": {
            "limit": own.limit if own and own.limit is not None else rule.limit,
            "unit": rule.unit,
            "values": _facts(rule, now),
            "said": said.said,
        },
    }
    if alarm is None:
        alarm = Alarm.objects.create(
            project_id=iteration.project_id,
            iteration=iteration,
            key=rule.key,
            **values,
        )
        alarm_fired.send(sender=Alarm, alarm=alarm)
        return alarm, True
    was = {name: getattr(alarm, name) for name in values}
    if was != json.loads(json.dumps(values)):
        for name, value in values.items():
            setattr(alarm, name, value)
        alarm.save(update_fields=[*values])
    return alarm, False


def _facts(rule: Rule, now: Turn) -> dict[str, Any]:
    """The values that the rule read, as they were."""
    plain = {name for name in rule.reads if not name.endswith(":*")}
    starts = tuple(name[:-1] for name in rule.reads if name.endswith(":*"))
    return {
        name: [seen.value, seen.low, seen.high, seen.n]
        for name, seen in sorted(now.values.items())
        if name in plain or (starts and name.startswith(starts))
    }


def turns_of(iteration: Iteration) -> tuple[Turn, list[Turn]]:
    """The iteration and the main ones before it, oldest first, as rules see them: three queries. What the
    project started from is the first of them, however long ago."""
    before = _main(iteration.project_id).filter(number__lt=iteration.number)
    before = before.only("id", "number", "arm", "recipe")
    earlier = list(before.order_by("-number")[:LOOKED_BACK])
    first = before.filter(metrics__name=START, metrics__value__isnull=False).order_by("number").first()
    wanted = Q(iteration__in=[iteration.pk, *(i.pk for i in earlier)])
    if first is not None and first not in earlier:
        earlier.append(first)
        wanted |= Q(iteration=first, name=START)  # of its other figures it would not be the last of a kind
    rows = MetricValue.objects.filter(wanted, model_version=None, value__isnull=False).values_list(
        "iteration_id", "name", "value", "low", "high", "n"
    )
    values: dict[int, dict[str, Seen]] = defaultdict(dict)
    for pk, name, value, low, high, n in rows:
        values[pk][name] = Seen(value, low, high, n)
    past = [_turn(i, values[i.pk]) for i in reversed(earlier)]
    return _turn(iteration, values[iteration.pk]), past


def _turn(iteration: Iteration, values: Mapping[str, Seen]) -> Turn:
    recipe = iteration.recipe
    curate = recipe.get("curate") or {}
    return Turn(
        values=values,
        acceptor=_acceptor(str(curate.get("accept", "")), recipe.get("needs") or ()),
        rows=frozenset(curate.get("rows") or ()),
        sampling=json.dumps([recipe.get("method"), recipe.get("settings")], sort_keys=True),
        control=iteration.arm != Iteration.Arm.MAIN,
    )


def _acceptor(accept: str, needs: Iterable[str]) -> str:
    """Whose word accepts, as metrics name sources; a scorer by its role."""
    if accept == "scorer":
        return next((role for role in ("reward", "process_reward") if role in needs), "")
    return accept if accept == "self_verdict" else ""


# ---- the gate -------------------------------------------------------------------------------------


def reasons_to_hold(iteration: Iteration) -> list[str]:
    """What open alarms whose rules hold say against promoting; marks them as holding. A rule that could not
    be looked at holds as well: that nothing is known is no reason to go on."""
    own = AlarmRule.objects.filter(project_id=iteration.project_id, hold=True, enabled=True)
    rules = [key for key in own.order_by("key").values_list("key", flat=True) if key in RULES]
    reasons = []
    if rules and iteration.arm == Iteration.Arm.MAIN:
        reasons += _blind_to(iteration, rules)
        try:
            _looked_through(iteration)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("alarms not looked through", iteration=iteration.pk)
            reasons.append(_noop("alarms that hold could not be looked for: the log says why"))
    for alarm in iteration.alarms.order_by("id"):
        holds = alarm.key in rules and alarm.seen_at is None
        if alarm.held != holds:
            alarm.held = holds
            alarm.save(update_fields=["held"])
        if holds:
            reasons.append(f"alarm “{title_of(alarm.key).lower()}”: {alarm.text}")
    return reasons


def _blind_to(iteration: Iteration, rules: Iterable[str]) -> list[str]:
    """Rules that read what could not be measured of the stages that were left."""
    units = WorkUnit.objects.filter(iteration=iteration, kind=KIND).values_list("stage", "result")
    missing = {
        group
        for stage, result in units
        for group, _ in measures.measures_of(Stage(stage))
        if group not in result.get("groups", {})
    }
    return [
        f"alarm “{title_of(key).lower()}” could not be looked for: “{group}” was not measured"
        for key in rules
        for group in sorted(missing)
        if any(metric.covers(name) for metric in measures.metrics_of(group) for name in RULES[key].reads)
    ]


def title_of(key: str) -> str:
    return RULES[key].title if key in RULES else key.replace("_", " ")


# ---- what people do -------------------------------------------------------------------------------


@transaction.atomic
def rule_change(
    *, project: Project, key: str, enabled: bool, hold: bool, limit: float | None, by: User
) -> AlarmRule:
    """Set a rule for the project; ``limit`` None or the default one: the default, also if that changes.

    Raises:
        AlarmRefused: there is no such rule, it has no limit, or the limit lies outside what makes sense.
    """
    rule = RULES.get(key)
    if rule is None:
        raise AlarmRefused(f"There is no rule {key}.")
    if limit is not None and rule.limit is None:
        raise AlarmRefused(f"{rule.title} has no limit to set.")
    if limit is not None and not rule.span[0] <= limit <= rule.span[1]:
        raise AlarmRefused(f"The limit must lie within {rule.span[0]:g} and {rule.span[1]:g}.")
    own = None if limit == rule.limit else limit
    row, _ = AlarmRule.objects.update_or_create(
        project=project,
        key=key,
        defaults={"enabled": enabled, "hold": hold, "limit": own, "changed_by": by},
    )
    audit_record(
        project=project,
        actor=by,
        verb="alarm rule changed",
        target=rule.title,
        data={"key": key, "enabled": enabled, "hold": hold, "limit": own},
    )
    return row


@transaction.atomic
def rule_reset(*, project: Project, key: str, by: User) -> bool:
    """Back to the default; false where it was at it."""
    gone, _ = AlarmRule.objects.filter(project=project, key=key).delete()
    if gone:
        audit_record(project=project, actor=by, verb="alarm rule reset", target=title_of(key))
    return bool(gone)


@transaction.atomic
def alarm_seen(*, alarm: Alarm, note: str, by: User) -> bool:
    """Mark an alarm as dealt with, with what was done; false where somebody else was first."""
    marked = Alarm.objects.filter(pk=alarm.pk, seen_at__isnull=True).update(
        seen_at=timezone.now(), seen_by=by, note=note[:300]
    )
    if not marked:
        return False
    audit_record(
        project=alarm.project,
        actor=by,
        verb="alarm dealt with",
        target=f"{alarm.iteration}: {title_of(alarm.key)}",
        data={"note": note[:300]},
    )
    notify(project_id=alarm.project_id, iteration_id=alarm.iteration_id, what="alarm")
    return True

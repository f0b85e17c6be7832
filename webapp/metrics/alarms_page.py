"""Alarms as pages show them: what was seen, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext

from loop.evaluate.alarms import RULES, Rule
from webapp.iterations.models import Iteration
from webapp.metrics.models import Alarm, AlarmRule
from webapp.projects.models import Project

SIGNS = {"bad": "!", "warn": "△"}


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm with its rule's words. A rule that is no more shows its key."""

    alarm: Alarm

    @property
    def rule(self) -> Rule | None:
        return RULES.get(self.alarm.key)

    @property
    def title(self) -> str:
        return self.rule.title if self.rule else self.alarm.key.replace("_", " ")

    @property
    def what_to_do(self) -> str:
        return self.rule.what_to_do if self.rule else ""

    @property
    def sign(self) -> str:
        return SIGNS[self.alarm.level]

    @property
    def word(self) -> str:
        return gettext("bad") if self.alarm.level == Alarm.Level.BAD else gettext("look")

    @property
    def dealt_with(self) -> bool:
        return self.alarm.seen_at is not None


def _rows(alarms: QuerySet[Alarm]) -> list[AlarmRow]:
    return [AlarmRow(alarm) for alarm in alarms]


def alarms_of(iteration: Iteration) -> list[AlarmRow]:
    """All of an iteration, those nobody dealt with first, bad before warn; one query."""
    found = _rows(iteration.alarms.select_related("seen_by").order_by("id"))
    return sorted(found, key=lambda row: (row.dealt_with, row.alarm.level != Alarm.Level.BAD))


def open_alarms(project: Project, most: int | None = None) -> list[AlarmRow]:
    """What nobody has dealt with, the newest iteration first, bad before warn; one query."""
    found = open_of(project)
    return _rows(found if most is None else found[:most])


def open_of(project: Project) -> QuerySet[Alarm]:
    rows = project.alarms.filter(seen_at__isnull=True).select_related("iteration")
    return rows.order_by("-iteration__number", "level", "id")  # bad comes before warn


def past_of(project: Project) -> QuerySet[Alarm]:
    """What was dealt with, newest first."""
    return (
        project.alarms.filter(seen_at__isnull=False).select_related("iteration", "seen_by").order_by("-id")
    )


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule as it holds in a project."""

    rule: Rule
    own: AlarmRule | None

    @property
    def enabled(self) -> bool:
        return self.own.enabled if self.own else True

    @property
    def hold(self) -> bool:
        return self.own.hold if self.own else False

    @property
    def limit(self) -> float | None:
        return self.own.limit if self.own and self.own.limit is not None else self.rule.limit

    @property
    def changed(self) -> bool:
        """Whether anything is not as the rule has it by default."""
        return not self.enabled or self.hold or self.limit != self.rule.limit


def rules_of(project: Project) -> list[RuleRow]:
    """Every rule with the project's settings; one query."""
    own: dict[str, Any] = {row.key: row for row in project.alarm_rules.select_related("changed_by")}
    return [RuleRow(rule, own.get(key)) for key, rule in RULES.items()]

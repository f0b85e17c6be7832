"""Alarms as pages show them: what was seen, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.formats import get_format
from django.utils.translation import gettext

from loop.evaluate.alarms import RULES, Language, Rule
from loop.stages import Stage
from webapp.iterations.models import Iteration
from webapp.metrics.models import Alarm, AlarmRule
from webapp.projects.models import Project

SIGNS = {"bad": "!", "warn": "△"}


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm with its rule's words, in the reader's language. A rule that is no more shows its key."""

    alarm: Alarm

    @property
    def rule(self) -> Rule | None:
        return RULES.get(self.alarm.key)

    @property
    def title(self) -> str:
        return gettext(self.rule.title) if self.rule else self.alarm.key.replace("_", " ")

    @property
    def what_to_do(self) -> str:
        return gettext(self.rule.what_to_do) if self.rule else ""

    @property
    def text(self) -> str:
        """What was seen. Alarms of earlier versions have it in English alone."""
        said = self.alarm.facts.get("said")
        return readers_language().worded(said) if said else self.alarm.text

    @property
    def sign(self) -> str:
        return SIGNS[self.alarm.level]

    @property
    def word(self) -> str:
        return gettext("serious") if self.alarm.level == Alarm.Level.BAD else gettext("warning")

    @property
    def dealt_with(self) -> bool:
        return self.alarm.seen_at is not None


def readers_language() -> Language:
    return Language(gettext, get_format("DECIMAL_SEPARATOR"))


def alarms_of(iteration: Iteration, *, told: bool = True) -> list[AlarmRow]:
    """All of an iteration, those nobody dealt with first, bad before warn; one query.

    ``told``: see `told_alone`.
    """
    found = [AlarmRow(a) for a in told_alone(iteration.alarms.select_related("seen_by"), told).order_by("id")]
    return sorted(found, key=lambda row: (row.dealt_with, row.alarm.level != Alarm.Level.BAD))


def open_alarms(project: Project, most: int | None = None, *, told: bool = True) -> list[AlarmRow]:
    """What nobody has dealt with, the newest iteration first, bad before warn; one query."""
    found = open_of(project, told=told)
    return [AlarmRow(alarm) for alarm in (found if most is None else found[:most])]


def open_of(project: Project, *, told: bool = True) -> QuerySet[Alarm]:
    """The alarms of `open_alarms`, with their iterations."""
    rows = project.alarms.filter(seen_at__isnull=True).select_related("iteration")
    return told_alone(rows, told).order_by("-iteration__number", "level", "id")  # bad comes before warn


def past_of(project: Project, *, told: bool = True) -> QuerySet[Alarm]:
    """What was dealt with, newest first."""
    rows = project.alarms.filter(seen_at__isnull=False).select_related("iteration", "seen_by")
    return told_alone(rows, told).order_by("-iteration__number", "-id")


OF_OUTCOMES = [
    key for key, rule in RULES.items() if rule.stage is Stage.EVALUATE or "heldout_gain" in rule.reads
]


def told_alone(rows: QuerySet[Alarm], told: bool) -> QuerySet[Alarm]:
    """Without ``told``, what an alarm says of a challenger that people are comparing blindly is left out:
    that its answers are longer, say, would tell whose they are."""
    return rows if told else rows.exclude(iteration__stage=Stage.PROMOTE.value, key__in=OF_OUTCOMES)


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule as it holds in a project."""

    rule: Rule
    own: AlarmRule | None

    @property
    def title(self) -> str:
        return gettext(self.rule.title)

    @property
    def what_to_do(self) -> str:
        return gettext(self.rule.what_to_do)

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

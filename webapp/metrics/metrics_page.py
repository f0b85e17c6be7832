"""Rows of measured values as pages list them: newest value, interval, what became of it, a small history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from loop.evaluate.metric import Metric
from webapp.metrics.charts import Spark, sparkline
from webapp.metrics.figures.metric import lineage_href
from webapp.metrics.templatetags.numbers import written, written_difference, written_interval
from webapp.metrics.values import (
    SPAN,
    Change,
    Reading,
    Readings,
    Turn,
    before,
    change_of,
    latest,
    names_by_group,
    title_of,
)
from webapp.projects.models import Project

WORDS = {
    "better": lazy("better"),
    "worse": lazy("worse"),
    "higher": lazy("higher"),
    "lower": lazy("lower"),
    "unclear": lazy("unclear"),
    "same": lazy("the same"),
}
TONES = {"better": "good-text", "worse": "bad-text"}


class Told:
    """A row that says in words what became of its value."""

    __slots__ = ()
    metric: Metric
    change: Change | None

    @property
    def word(self) -> str:
        return str(WORDS[self.change.word]) if self.change else ""

    @property
    def tone(self) -> str:
        return TONES.get(self.change.word, "muted") if self.change else ""

    @property
    def by(self) -> str:
        return written_difference(0.0, self.change.by, self.metric.unit) if self.change else ""


@dataclass(frozen=True, slots=True)
class Row(Told):
    """One stored value. ``reading`` may have none: the metric's page says why."""

    name: str
    title: str
    metric: Metric
    turn: Turn
    reading: Reading
    change: Change | None
    against: Turn | None
    spark: Spark | None
    href: str
    lineage: str

    @property
    def text(self) -> str:
        return written(self.reading.value, self.reading.unit)

    @property
    def ends(self) -> str:
        return written_interval(self.reading.low, self.reading.high, self.reading.unit)

    @property
    def down(self) -> str:
        """What its link into the lineage is called."""
        return _("%(title)s, %(value)s: down to its rows") % {"title": self.title, "value": self.text}


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    rows: list[Row]


def groups_shown(
    project: Project, turns: Sequence[Turn], readings: Readings, *, at: Turn | None = None, group: str = ""
) -> list[Group]:
    """Groups in their order. ``at``: this iteration's values; without, the newest of each."""
    shown = []
    pages = reverse("metrics", args=[project.slug])  # once: to ask for each of a hundred rows takes a while
    for name, names in names_by_group(readings):
        if group and name != group:
            continue
        rows = [_row(project, pages, turns, n, metric, readings[n], at) for n, metric in names]
        if kept := [row for row in rows if row]:
            shown.append(Group(name, kept))
    return shown


def _row(
    project: Project,
    pages: str,
    turns: Sequence[Turn],
    name: str,
    metric: Metric,
    values: Mapping[int, Reading],
    at: Turn | None,
) -> Row | None:
    turn = at or latest(turns, values)
    reading = values.get(turn.pk) if turn else None
    if turn is None or reading is None:
        return None
    against = before(turns, turn, values, metric)
    title = title_of(name)
    return Row(
        name=name,
        title=title,
        metric=metric,
        turn=turn,
        reading=reading,
        change=change_of(metric, values[against.pk], reading) if against else None,
        against=against,
        spark=_spark(title, turns, turn, values),
        href=f"{pages}{quote(name, safe=':')}/",
        lineage=lineage_href(project, name, turn.number),
    )


def _spark(title: str, turns: Sequence[Turn], turn: Turn, values: Mapping[int, Reading]) -> Spark | None:
    """The main iterations up to this one, and this one whatever it is."""
    shown = [t for t in turns if t.number <= turn.number and (t.main or t == turn)][-SPAN:]
    known = [t for t in shown if (r := values.get(t.pk)) and r.value is not None]
    if len(known) < 2:
        return None
    first, last = values[known[0].pk], values[known[-1].pk]
    label = _("%(title)s, iterations %(a)s to %(b)s: from %(then)s to %(now)s") % {
        "title": title,
        "a": known[0].number,
        "b": known[-1].number,
        "then": written(first.value, first.unit),
        "now": written(last.value, last.unit),
    }
    history = [values[t.pk][:3] if t.pk in values else (None, None, None) for t in shown]
    return sparkline(history, label)

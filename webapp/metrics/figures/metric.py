"""One metric over the iterations, a line for each of its sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from loop.evaluate.metric import Metric
from webapp.metrics.charts import Line, Point, trend
from webapp.metrics.figures import Build, Cell, Figure
from webapp.metrics.measures import metric_named
from webapp.metrics.templatetags.numbers import written, written_interval
from webapp.metrics.values import (
    Reading,
    Readings,
    Turn,
    alike,
    change_of,
    readings_of,
    title_of,
    turns_of,
)
from webapp.projects.models import Project, Role

FILTERS = ("arm", "recipe")
UNITS = {
    "share": lazy("per cent"),
    "points": lazy("percentage points"),
    "count": lazy("how many"),
    "s": lazy("time"),
    "h": lazy("hours"),
    "tokens": lazy("tokens"),
    "bits": lazy("bits"),
    "ratio": lazy("a ratio"),
    "score": lazy("a score"),
    "per hour": lazy("per hour"),
    "bytes": lazy("bytes"),
}
KINDS = {
    "promoted": lazy("promoted"),
    "held": lazy("held"),
    "control": lazy("control arm"),
    "open": lazy("not over"),
}
MARKS = {"promoted": "●", "held": "○", "control": "□", "open": "◇"}


def metric_figure(project: Project, query: Mapping[str, str]) -> Figure | None:
    """``name``: of a stored value, or of a metric without its source. ``arm``, ``recipe`` and ``until`` (the
    last iteration's number) filter."""
    name = query.get("name", "")
    metric = metric_named(name) or metric_named(f"{name}:*")
    if metric is None:
        return None
    until = query.get("until", "")
    kept = {k: query[k] for k in FILTERS if query.get(k)}
    turns = turns_of(
        project,
        arm=kept.get("arm"),
        recipe=kept.get("recipe"),
        until=int(until) if until.isdecimal() else None,
    )
    readings = readings_of(project, turns, [metric.name])
    kept |= {"until": until} if until.isdecimal() else {}
    return figure_of(project, metric, name, turns, readings, kept)


def figure_of(
    project: Project,
    metric: Metric,
    name: str,
    turns: Sequence[Turn],
    readings: Readings,
    kept: Mapping[str, str],
) -> Figure | None:
    """The figure of what was read already. ``name`` is the one that the title speaks of."""
    names = sorted(
        n for n in readings if metric.covers(n) and any(r.value is not None for r in readings[n].values())
    )
    shown = [t for t in turns if any(t.pk in readings[n] for n in names)]
    if not shown:
        return None
    first = name if name in names else names[0]
    lines = [
        Line(source_of(n), [point_of(project, n, t, readings[n].get(t.pk)) for t in shown]) for n in names
    ]
    return Figure(
        key="metric",
        title=conclusion(metric, title_of(first), shown, readings[first]),
        caption=_caption(shown, metric, readings[first]),
        template="metrics/drawings/trend.html",
        chart=trend(lines, metric.unit),
        head=_head(names),
        rows=[_row(project, turn, names, readings) for turn in reversed(shown)],
        query=urlencode({"name": name, **kept}),
    )


def source_of(name: str) -> str:
    return name.partition(":")[2].replace("_", " ") or title_of(name)


def conclusion(metric: Metric, title: str, turns: Sequence[Turn], values: Mapping[int, Reading]) -> str:
    """What the line says, from the first main iteration that may be compared with the newest on."""
    known = [t for t in turns if t.pk in values and values[t.pk].value is not None]
    known = [t for t in known if t.main] or known
    last = known[-1]
    first = next(t for t in known if alike(metric, t, last))
    now = values[last.pk]
    told = {"title": title, "now": written(now.value, now.unit), "last": last.number}
    change = change_of(metric, values[first.pk], now) if first != last else None
    if change is None:
        return _("%(title)s is %(now)s in iteration %(last)s") % told
    told |= {"then": written(values[first.pk].value, now.unit), "first": first.number}
    if change.word in ("unclear", "same"):
        text = _("%(title)s shows no clear change: %(then)s in iteration %(first)s, %(now)s in %(last)s")
    elif change.by > 0:
        text = _("%(title)s rose from %(then)s in iteration %(first)s to %(now)s in iteration %(last)s")
    else:
        text = _("%(title)s fell from %(then)s in iteration %(first)s to %(now)s in iteration %(last)s")
    return text % told


def _caption(turns: Sequence[Turn], metric: Metric, values: Mapping[int, Reading]) -> str:
    axes = _("Across: iterations. Up: %(unit)s.") % {"unit": UNITS[metric.unit]}
    parts = [axes]
    if any(r.ci95 for r in values.values()):
        parts.append(_("Band: the interval at 95 %, by drawing prompts anew."))
    if turns and not all(alike(metric, t, turns[-1]) for t in turns):
        parts.append(_("Iterations that sampled otherwise (number, temperature) are not compared."))
    kinds = {t.kind for t in turns if not t.alarms}
    marks = [f"{sign} {KINDS[kind]}" for kind, sign in MARKS.items() if kind in kinds]
    alarmed = {t.kind == "held" for t in turns if t.alarms}
    marks += [_("▲ an alarm fired")] if False in alarmed else []
    marks += [_("△ held, and an alarm fired")] if True in alarmed else []
    return " ".join([*parts, ", ".join(marks) + "."])


def point_of(
    project: Project, name: str, turn: Turn, reading: Reading | None, *, alarmed: bool = True
) -> Point:
    """An iteration's value as a mark that leads to the iteration; ``alarmed``: whether it shows alarms."""
    if reading is None or reading.value is None:
        return Point(str(turn.number), None, kind=turn.kind)
    return Point(
        label=str(turn.number),
        value=reading.value,
        low=reading.low,
        high=reading.high,
        kind=turn.kind,
        alarm=alarmed and turn.alarms > 0,
        href=reverse("iteration", args=[project.slug, turn.number]),
        words=words_of(name, turn, reading),
    )


def words_of(name: str, turn: Turn, reading: Reading) -> str:
    ends = written_interval(reading.low, reading.high, reading.unit)
    alarms = ngettext("%(n)s alarm", "%(n)s alarms", turn.alarms) % {"n": turn.alarms}
    return ", ".join(
        [
            f"{title_of(name)}, {_('iteration')} {turn.number}: {written(reading.value, reading.unit)}",
            *([f"95 % {ends}"] if ends else []),
            str(KINDS[turn.kind]),
            *([alarms] if turn.alarms else []),
        ]
    )


def _head(names: Sequence[str]) -> list[str]:
    head = [_("Iteration"), _("Recipe"), _("Outcome")]
    for name in names:
        source = f", {source_of(name)}" if len(names) > 1 else ""
        head += [_("Value") + source, _("Low (95 %)") + source, _("High (95 %)") + source, "n" + source]
    return [*head, _("Alarms")]


def _row(project: Project, turn: Turn, names: Sequence[str], readings: Readings) -> list[Cell]:
    here = reverse("iteration", args=[project.slug, turn.number])
    row = [Cell(str(turn.number), turn.number, here), Cell(turn.recipe), Cell(str(KINDS[turn.kind]))]
    for name in names:
        row += cells_of(project, name, turn, readings[name].get(turn.pk))
    return [*row, Cell(str(turn.alarms), turn.alarms, number=True)]


def cells_of(project: Project, name: str, turn: Turn, reading: Reading | None) -> list[Cell]:
    """Value (a link to the rows it is made of), both ends and n."""
    if reading is None or reading.value is None:
        return [Cell("–", "", number=True)] * 4
    rows = lineage_href(project, name, turn.number)
    return [
        Cell(written(reading.value, reading.unit), reading.value, rows, number=True, trace=True),
        *(
            Cell(written(end, reading.unit), "" if end is None else end, number=True)
            for end in (reading.low, reading.high)
        ),
        Cell(str(reading.n), reading.n, number=True),
    ]


def lineage_href(project: Project, name: str, number: int) -> str:
    query: dict[str, str | int] = {"metric": name, "iteration": number}
    return f"{_lineage(project.slug)}?{urlencode(query)}"


@lru_cache(maxsize=256)
def _lineage(slug: str) -> str:
    """Asked for by every row of a page with a hundred."""
    return reverse("lineage", args=[slug])


FIGURES: dict[str, tuple[Role, Build]] = {"metric": (Role.VIEWER, metric_figure)}

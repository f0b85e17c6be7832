"""One metric's page: its history, its definition, and what the newest value's detail draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import Http404

from webapp.metrics.figures.details import PARTS, details_of
from webapp.metrics.figures.metric import UNITS, figure_of
from webapp.metrics.measures import metric_named
from webapp.metrics.models import MetricValue
from webapp.metrics.templatetags.numbers import figure as rounded
from webapp.metrics.templatetags.numbers import written_interval
from webapp.metrics.values import (
    detail_of,
    latest,
    readings_of,
    reason_of,
    simulated_in,
    title_of,
    turns_of,
)
from webapp.projects.models import Project


def metric_context(project: Project, name: str, filters: Mapping[str, str], number: str) -> dict[str, Any]:
    """What the page shows of the stored value ``name``, or of a metric by its name without a source.

    ``number``: of the iteration whose detail is shown; the newest unless that one has a value.

    Raises:
        Http404: no group declares such a metric.
    """
    metric = metric_named(name) or metric_named(f"{name}:*")
    if metric is None:
        raise Http404(f"No metric is called {name}.")
    turns = turns_of(project, arm=filters.get("arm"), recipe=filters.get("recipe"))
    read = readings_of(project, turns, [metric.name, "answers"])  # these say who answered
    readings = {stored: values for stored, values in read.items() if metric.covers(stored)}
    spoken = name if name in readings else min(readings, default=name)
    values = readings.get(spoken, {})
    measured = [t for t in reversed(turns) if t.pk in values]
    at = next((t for t in measured if str(t.number) == number), latest(turns, values))
    value = detail_of(project, spoken, at.number) if at else None
    return {
        "metric": metric,
        "simulated": simulated_in(read, turns),
        "name": spoken,
        "title": title_of(name),
        "unit": UNITS[metric.unit],
        "figure": figure_of(project, metric, name, turns, readings, filters),
        "at": at,
        "value": value,
        "ends": written_interval(value.low, value.high, value.unit) if value else "",
        "measured": measured,
        "details": details_of(value, at.number) if value and at else [],
        "facts": list(_facts(value)) if value else [],
        "reason": None if value else _reason(project, spoken),
    }


def _facts(value: MetricValue) -> Iterator[tuple[str, Any]]:
    """The numbers of the detail that stand alone."""
    for key, fact in value.detail.items():
        if key not in PARTS and isinstance(fact, (int, float, str)):
            yield key.replace("_", " "), rounded(fact)


def _reason(project: Project, name: str) -> str | None:
    """Why the newest measuring gave no value, where it did say."""
    newest = MetricValue.objects.filter(project=project, name=name, value=None).order_by("-id").first()
    return reason_of(newest) if newest else None

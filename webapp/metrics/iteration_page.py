"""What an iteration's page shows of what was measured: alarms, figures, values with their histories."""

from __future__ import annotations

from typing import Any

from webapp.iterations.models import Iteration
from webapp.iterations.page import Losses
from webapp.metrics.alarms_page import alarms_of
from webapp.metrics.figures import Figure
from webapp.metrics.figures.details import details_of
from webapp.metrics.figures.metric import figure_of
from webapp.metrics.figures.training import loss_of
from webapp.metrics.measures import metric_named
from webapp.metrics.measures.filter import funnel
from webapp.metrics.metrics_page import groups_shown
from webapp.metrics.models import MetricValue
from webapp.metrics.values import SPAN, Readings, Turn, readings_of, simulated_in, turns_of
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least

HEADLINE = "heldout_after"


def measured_context(project: Project, iteration: Iteration, losses: Losses) -> dict[str, Any]:
    """Three queries, whatever the number of iterations and of values; ``losses`` of its training run."""
    turns = turns_of(project, until=iteration.number, last=SPAN)
    at = next((t for t in turns if t.pk == iteration.pk), None)
    readings = readings_of(project, turns)
    figures = [f for f in _figures(project, iteration, turns, readings, losses) if f]
    return {
        "alarms": alarms_of(iteration, told=at_least(project.my_role, Role.LEAD)) if at and at.alarms else [],
        "at": at,
        "simulated": simulated_in(readings, [at] if at else []),
        "groups": groups_shown(project, turns, readings, at=at) if at else [],
        "figures": figures,
        "drawn": {figure.key for figure in figures},
    }


def _figures(
    project: Project, iteration: Iteration, turns: list[Turn], readings: Readings, losses: Losses
) -> list[Figure | None]:
    heldout = metric_named(HEADLINE)
    kept = {"until": str(iteration.number)}
    counted = funnel(iteration)
    value = MetricValue(name=counted.name, value=counted.value, detail=counted.detail)
    return [
        figure_of(project, heldout, HEADLINE, turns, readings, kept) if heldout else None,
        *details_of(value, iteration.number),
        loss_of(iteration, losses),
    ]

"""What was measured: everything at a glance, and one metric with its definition and details."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from webapp.accounts.http import SignedInRequest
from webapp.metrics.figures.metric import FILTERS
from webapp.metrics.measures import groups
from webapp.metrics.metric_page import metric_context
from webapp.metrics.metrics_page import groups_shown
from webapp.metrics.values import SPAN, readings_of, simulated_in, turns_of
from webapp.projects.access import project_page
from webapp.projects.models import Project


def _filters(request: SignedInRequest) -> dict[str, str]:
    return {key: value for key in FILTERS if (value := request.GET.get(key, ""))}


def _choices(project: Project) -> dict[str, Any]:
    recipes = project.iterations.order_by("recipe_name").values_list("recipe_name", flat=True).distinct()
    return {"groups": [g.GROUP for g in groups()], "recipes": list(recipes)}


@project_page()
@require_GET
def metrics(request: SignedInRequest, project: Project) -> HttpResponse:
    filters = _filters(request)
    turns = turns_of(project, arm=filters.get("arm"), recipe=filters.get("recipe"), last=SPAN)
    readings = readings_of(project, turns)
    context = {
        "project": project,
        "nav": "metrics",
        "shown": groups_shown(project, turns, readings, group=request.GET.get("group", "")),
        "newest": next((t.number for t in reversed(turns) if t.main), None),
        "simulated": simulated_in(readings, turns),
        "filters": filters,
        "group": request.GET.get("group", ""),
        "span": SPAN,
        "choices": _choices(project),
    }
    return render(request, "metrics/metrics.html", context)


@project_page()
@require_GET
def metric(request: SignedInRequest, project: Project, name: str) -> HttpResponse:
    filters = _filters(request)
    context = {
        "project": project,
        "nav": "metrics",
        "filters": filters,
        "choices": _choices(project),
        **metric_context(project, name, filters, request.GET.get("iteration", "")),
    }
    return render(request, "metrics/metric.html", context)

"""The operations page: what leads look at to see how annotation goes."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from webapp.accounts.http import SignedInRequest
from webapp.metrics.charts import Spark, sparkline
from webapp.metrics.figures.operations import BUILDERS
from webapp.metrics.operations_page import DAYS, MOST_REVIEWED, PACE_DAYS, RATES, Operations
from webapp.metrics.values import SPAN, title_of
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role


@project_page(Role.LEAD)
@require_GET
def operations(request: SignedInRequest, project: Project) -> HttpResponse:
    found = Operations(project, timezone.now())
    context = {
        "project": project,
        "nav": "operations",
        "now": found,
        "all": found.waiting[0],
        "figures": [figure for build in BUILDERS.values() if (figure := build(found))],
        "rates": [(name, title_of(name), found.newest(name), _past(found, name)) for name in RATES],
        "median": found.newest("seconds_per_answer"),
        "most_reviewed": MOST_REVIEWED,
        "days": DAYS,
        "pace_days": PACE_DAYS,
    }
    return render(request, "metrics/operations.html", context)


def _past(found: Operations, name: str) -> Spark | None:
    values = found.readings.get(name, {})
    past = [values.get(turn.pk) for turn in found.turns[-SPAN:]]
    return sparkline([(r.value, r.low, r.high) if r else (None, None, None) for r in past], title_of(name))

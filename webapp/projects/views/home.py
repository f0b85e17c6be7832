"""My projects, and one project's home."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from webapp.accounts.http import SignedInRequest
from webapp.annotate.selectors import tasks_waiting_count
from webapp.events import ticket_for
from webapp.iterations import page as iterations
from webapp.metrics.charts import bands
from webapp.projects import selectors
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least
from webapp.registry import page as registry


@login_required
@require_GET
def home(request: SignedInRequest) -> HttpResponse:
    """My projects; straight to the only one."""
    mine = list(selectors.projects_with_figures(request.user))
    if len(mine) == 1 and "all" not in request.GET:
        return redirect("project", mine[0].slug)
    return render(request, "projects/home.html", {"projects": mine})


def _now(request: SignedInRequest, project: Project) -> dict[str, Any]:
    """The part that changes by itself: the open iteration, and what waits for people."""
    open_one = iterations.iteration_open(project)
    may_annotate = at_least(project.my_role, Role.ANNOTATOR)
    waiting = tasks_waiting_count(project=project, user=request.user) if may_annotate else 0
    return {
        "project": project,
        "open": open_one,
        "stages": iterations.stages_of(open_one) if open_one else [],
        "moving": bool(open_one and open_one.status in iterations.MOVING),
        "waiting": waiting,
        "may_lead": at_least(project.my_role, Role.LEAD),
        "may_annotate": may_annotate,
    }


@project_page()
@require_GET
def project(request: SignedInRequest, project: Project) -> HttpResponse:
    rows = registry.versions_of(project)
    series = registry.heldout_series(project, rows)
    splits = selectors.split_counts(project)
    context = _now(request, project) | {
        "splits": splits,
        "prompts_total": sum(s.n for s in splits),
        "has_train": splits[0].n > 0,
        "champion": next((r for r in rows if r.version.pk == project.champion_id), None),
        "measured": [r for r in rows if r.heldout],
        "chart": bands(series) if series else None,
        "latest": iterations.iterations_of(project)[:5],
        "members": selectors.members_of(project)[:50],
        "guidelines": selectors.guidelines_now(project.pk),
        "live_url": f"/events/{ticket_for(project_id=project.pk)}",
        "fragment_url": reverse("project_live", args=[project.slug]),
    }
    return render(request, "projects/project.html", context)


@project_page()
@require_GET
def project_live(request: SignedInRequest, project: Project) -> HttpResponse:
    # Asked at every change: whether there is one, not a count of all.
    context = _now(request, project) | {"has_train": selectors.prompts_of(project, split="train").exists()}
    response = render(request, "projects/now.html", context | {"over": context["open"] is None})
    response["Cache-Control"] = "no-store"
    return response

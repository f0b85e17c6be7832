"""My projects, and one project's home."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from webapp.accounts.http import SignedInRequest
from webapp.annotate.selectors import tasks_waiting_count
from webapp.events import ticket_for
from webapp.iterations import page as iterations
from webapp.iterations.models import Iteration
from webapp.metrics import attention, overview
from webapp.metrics.figures.overview import history_of
from webapp.projects import selectors
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least

GLANCE = 8  # iterations in the table; the others are on their list


@login_required
@require_GET
def home(request: SignedInRequest) -> HttpResponse:
    """My projects; straight to the only one."""
    mine = list(selectors.projects_with_figures(request.user))
    if len(mine) == 1 and "all" not in request.GET:
        return redirect("project", mine[0].slug)
    return render(request, "projects/home.html", {"projects": mine})


def _now(request: SignedInRequest, project: Project, open_one: Iteration | None) -> dict[str, Any]:
    """The part that changes by itself: the open iteration, and what waits for people."""
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
    """The overview: is it better, by how much, what did people do, what needs attention."""
    turns = overview.turns_of(project, told=at_least(project.my_role, Role.LEAD))
    now = overview.open_turn(turns)
    context = _now(request, project, now.iteration if now else None)
    splits = selectors.split_sizes(project)
    better = overview.better_of(project, turns)
    standing = attention.standing_of(project, turns) if context["may_lead"] else attention.Standing()
    context |= {
        "splits": splits,
        "has_train": splits["train"] > 0,
        "better": better,
        "done": overview.done_of(project, turns, better),
        "attention": attention.attention_of(project, turns, standing, _waits_for(context["stages"])),
        "flags_open": standing.flags,  # else the frame counts them again
        "figure": history_of(project, turns),
        "turns": turns[:GLANCE],
        "more_turns": len(turns) > GLANCE,
        "members": selectors.members_of(project)[:50],
        "guidelines": selectors.guidelines_now(project.pk),
        "live_url": f"/events/{ticket_for(project_id=project.pk)}",
        "fragment_url": reverse("project_live", args=[project.slug]),
    }
    return render(request, "projects/project.html", context)


def _waits_for(stages: list[iterations.StageView]) -> str:
    """What people are waited for with, in words; empty when nobody is."""
    work = next((s.work[0] for s in stages if s.state == "waiting" and s.work), None)
    if work is None or work.done >= work.total:
        return ""
    return _("Waits for people: {done} of {total} {what}").format(
        done=work.done, total=work.total, what=_(work.unit)
    )


@project_page()
@require_GET
def project_live(request: SignedInRequest, project: Project) -> HttpResponse:
    # Asked at every change: whether there is one, not a count of all.
    context = _now(request, project, iterations.iteration_open(project)) | {
        "has_train": selectors.prompts_of(project, split="train").exists()
    }
    response = render(request, "projects/now.html", context | {"over": context["open"] is None})
    response["Cache-Control"] = "no-store"
    return response

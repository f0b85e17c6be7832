"""Search and filter over tasks and their answers; everything asked for stands in the address."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from loop.records import Verdict
from webapp.accounts.http import SignedInRequest
from webapp.annotate.models import Annotation, TaskKind, TaskPurpose, TaskState
from webapp.annotate.searching import CAP, LAG_CAP, Wanted, tasks_search, unsearchable_count
from webapp.projects.access import project_page
from webapp.projects.models import GuidelineVersion, Project, Role
from webapp.projects.permissions import at_least
from webapp.projects.selectors import members_of

NAMED = 200  # people whose names are offered while typing


@project_page(Role.ANNOTATOR)
@require_GET
def tasks(request: SignedInRequest, project: Project) -> HttpResponse:
    """Leads see every task; annotators those they answered, with their own answers."""
    may_lead = at_least(project.my_role, Role.LEAD)
    wanted = Wanted.of(request.GET.dict())
    if "" in request.GET.values():  # a form sends its empty fields, too: an address is to be shared
        return redirect(f"{request.path}?{wanted.address()}")
    found = tasks_search(project, wanted, only=None if may_lead else request.user)
    lag = unsearchable_count(project) if wanted.q else 0
    context = {
        "project": project,
        "nav": "tasks",
        "may_lead": may_lead,
        "wanted": wanted,
        "narrowed": len(wanted.asked()) - bool(wanted.q),
        "found": found,
        "cap": CAP,
        "lag": lag,
        "lag_cap": LAG_CAP,
        "older": wanted.address(before=found.older) if found.older else "",
        "newest": wanted.address() if wanted.before else None,
        "kinds": TaskKind.choices,
        "states": TaskState.choices,
        "purposes": TaskPurpose.choices,
        "outcomes": Annotation.Outcome.choices,
        "verdicts": [v.value for v in Verdict],
        "versions": GuidelineVersion.objects.filter(project=project).values_list("number", flat=True)[:100],
        "people": members_of(project)[:NAMED] if may_lead else [],
    }
    return render(request, "annotate/search/tasks.html", context)

"""How people annotate: everybody for leads, oneself for whoever annotates."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from webapp.accounts.http import SignedInRequest
from webapp.accounts.models import User
from webapp.annotate import people as reads
from webapp.annotate.views.agreement import weeks_chart
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role

PER_PAGE = 50


@project_page(Role.LEAD)
@require_GET
def people(request: SignedInRequest, project: Project) -> HttpResponse:
    found = reads.standings(project)
    context = {
        "project": project,
        "nav": "people",
        "tab": "people",
        "page": Paginator(found.rows, PER_PAGE).get_page(request.GET.get("page")),
        "alarms": [(alarm, "") for alarm in found.alarms],
        "cut": found.cut,
        "pace_days": reads.PACE_DAYS,
        "roles": dict(Role.choices),
    }
    return render(request, "annotate/people/people.html", context)


@project_page(Role.LEAD)
@require_GET
def person(request: SignedInRequest, project: Project, user_id: int) -> HttpResponse:
    """One person's figures. Only people who are members or have answered here are there to see."""
    found = User.objects.filter(pk=user_id).first()
    if found is None or not reads.took_part(project, found):
        raise Http404(f"{project} has no such person.")
    return render(request, "annotate/people/person.html", _context(project, found) | {"nav": "people"})


@project_page(Role.ANNOTATOR)
@require_GET
def me(request: SignedInRequest, project: Project) -> HttpResponse:
    """The same about oneself; others appear as a share, never by name."""
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    context = _context(project, request.user, until=today) | {"nav": "annotate", "own": True}
    return render(request, "annotate/people/person.html", context)


def _context(project: Project, user: User, *, until: datetime | None = None) -> dict[str, Any]:
    figures = reads.person_figures(project, user, until=until)
    most = max([n for _, n in figures.days] or [0])
    return {
        "project": project,
        "figures": figures,
        "drifts": [
            (name, drift, weeks_chart(drift.weeks))
            for name, drift in (
                ("gold", figures.gold),
                ("repeats", figures.repeats),
                ("others", figures.others),
            )
        ],
        "alarms": [(alarm, "") for alarm in figures.alarms],
        "days": [(day, n, round(56 * n / most, 1) if most else 0) for day, n in figures.days],
        "most_a_day": most,
        "today": figures.days[-1][1],
    }

"""The trust page: the ledger of everybody whose word decides what is kept."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from webapp.accounts.http import SignedInRequest
from webapp.metrics.figures import Figure
from webapp.metrics.figures.details import details_of
from webapp.metrics.figures.trust import POWERED, agreement_of, powered_of
from webapp.metrics.models import MetricValue
from webapp.metrics.trust_page import Ledger, limits
from webapp.metrics.values import simulated_in
from webapp.projects.access import project_page
from webapp.projects.models import Project

RELIABILITY = "part=reliability"


@project_page()
@require_GET
def trust(request: SignedInRequest, project: Project) -> HttpResponse:
    ledger = Ledger.of(project)
    powered, reliable = _detailed(ledger)
    context = {
        "project": project,
        "nav": "trust",
        "entries": ledger.entries,
        "agreement": agreement_of(ledger),
        "simulated": simulated_in(ledger.readings, ledger.turns),
        "powered": powered,
        "reliable": reliable,
        "limits": limits(),
    }
    return render(request, "metrics/trust.html", context)


def _detailed(ledger: Ledger) -> tuple[list[Figure], list[Figure]]:
    """What the newest values' details draw: estimates with people's help, and calibration. One query."""
    names = [*POWERED, *(name for name in ledger.readings if name.startswith("ece:"))]
    newest = {name: turn for name in names if (turn := ledger.newest(name)[0]) is not None}
    if not newest:
        return [], []
    wanted = Q()
    for name, turn in newest.items():
        wanted |= Q(name=name, iteration=turn.pk)
    rows = MetricValue.objects.filter(wanted, project=ledger.project, model_version=None).order_by("name")
    powered = [powered_of(row, newest[row.name].number) for row in rows if row.name in POWERED]
    reliable = [
        figure
        for row in rows
        if row.name not in POWERED
        for figure in details_of(row, newest[row.name].number)
        if RELIABILITY in figure.query
    ]
    return [figure for figure in powered if figure], reliable

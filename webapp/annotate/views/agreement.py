"""How far people agree, with alarms in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from loop.evaluate.rates import Rate
from webapp.accounts.http import SignedInRequest
from webapp.annotate import agreement as reads
from webapp.annotate.given import MOST
from webapp.annotate.models import TaskKind
from webapp.annotate.people import people_alarms
from webapp.metrics.charts import Bands, Measured, bands
from webapp.projects.access import project_page
from webapp.projects.models import GuidelineVersion, Project, Role
from webapp.projects.permissions import at_least

# What each figure is measured on, and in what: keys of `agreement.Line`.
NAMES = {
    "choice": (_("Overall choice"), _("alpha, nominal")),
    "marks": (_("Marks of steps"), _("alpha, ordinal; steps that both judged, one by one")),
    "first_error": (
        _("Place of the first error"),
        _("alpha, interval; “no error” lies after the last step"),
    ),
    "percent": (_("Same overall choice"), _("share of pairs of answers")),
    "exact": (_("Same first error"), _("share of pairs; “no error” in both counts")),
    "within_one": (_("First error at most one step apart"), _("share of pairs")),
}
CHOICES = {
    TaskKind.STEP_CRITIQUE: _("Verdict"),
    TaskKind.PREFERENCE: _("Better response"),
    TaskKind.CRITIQUE_REVIEW: _("Decision"),
}


def weeks_chart(weeks: Sequence[tuple[Any, Rate]]) -> Bands | None:
    """Shares by week with their intervals as a band; None below two weeks."""
    seen = [(week, rate) for week, rate in weeks if rate.value is not None and rate.ci95]
    if len(seen) < 2:
        return None
    return bands(
        [
            Measured(date_format(week, "j M"), rate.value or 0.0, *(rate.ci95 or (0.0, 1.0)), kind="champion")
            for week, rate in seen
        ],
        height=170,
    )


def _name(alarm: reads.Alarm) -> Any:
    """The figure that an alarm is about; "" where it is about none."""
    if alarm.name == "choice":
        return CHOICES[TaskKind(alarm.kind)]
    return NAMES[alarm.name][0] if alarm.name else ""


@project_page()
@require_GET
def agreement(request: SignedInRequest, project: Project) -> HttpResponse:
    """Leads and viewers see who agrees with whom; annotators see the figures over everybody."""
    asked = reads.Asked.of(request.GET.dict())
    if "" in request.GET.values():  # a form sends its empty fields, too: an address is to be shared
        return redirect(f"{request.path}?{asked.address()}")
    answers = reads.overlapping_answers(project, asked)
    kinds = reads.kinds_measured(answers.rows)
    by_name = project.my_role != Role.ANNOTATOR
    may_lead = at_least(project.my_role, Role.LEAD)
    alarms = reads.alarms_of(kinds) + (people_alarms(project) if may_lead else [])
    context = {
        "project": project,
        "nav": "people",
        "tab": "agreement",
        "may_lead": may_lead,
        "by_name": by_name,
        "asked": asked,
        "narrowed": bool(asked.address()),
        "kinds": [
            {
                "figures": kind,
                "choice": CHOICES[TaskKind(kind.kind)],
                "lines": [(line, *NAMES[line.key]) for line in kind.lines],
                "chart": weeks_chart([(week.key, week.pairs) for week in kind.weeks]),
            }
            for kind in kinds
        ],
        "alarms": [(alarm, _name(alarm)) for alarm in alarms],
        "cut": answers.cut,
        "most": MOST,
        "read": len(answers.rows),
        "task_kinds": TaskKind.choices,
        "versions": GuidelineVersion.objects.filter(project=project).values_list("number", flat=True)[:100],
        "alpha_low": reads.ALPHA_LOW,
    }
    return render(request, "annotate/agreement/agreement.html", context)

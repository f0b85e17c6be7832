"""The alarms page: what needs a look, what was dealt with, and the rules."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from webapp.accounts.http import SignedInRequest
from webapp.iterations.selectors import compared_blindly
from webapp.metrics import alarms_page, services
from webapp.metrics.alarm_forms import RuleForm
from webapp.metrics.models import Alarm
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least

PER_PAGE = 20


@project_page()
@require_GET
def alarms(request: SignedInRequest, project: Project) -> HttpResponse:
    return _page(request, project)


def _page(request: SignedInRequest, project: Project, typed: RuleForm | None = None) -> HttpResponse:
    """``typed``: a form that was not valid takes its row's place, with what was typed."""
    may_lead = at_least(project.my_role, Role.LEAD)
    told = may_lead or not compared_blindly(project)
    forms = [RuleForm(None, row=row) for row in alarms_page.rules_of(project)]
    pages = {
        name: Paginator(rows, PER_PAGE).get_page(request.GET.get(name))
        for name, rows in (
            ("open", alarms_page.open_of(project, told=told)),
            ("past", alarms_page.past_of(project, told=told)),
        )
    }
    context: dict[str, Any] = {
        "project": project,
        "nav": "alarms",
        "may_lead": may_lead,
        **{f"{name}_page": page for name, page in pages.items()},
        **{name: [alarms_page.AlarmRow(a) for a in page.object_list] for name, page in pages.items()},
        "forms": [typed if typed and typed.name == form.name else form for form in forms],
        "any_iteration": project.iterations.exists(),
    }
    return render(request, "metrics/alarms.html", context, status=422 if typed else 200)


@project_page(Role.LEAD)
@require_POST
def rule(request: SignedInRequest, project: Project, key: str) -> HttpResponse:
    row = next((row for row in alarms_page.rules_of(project) if row.rule.key == key), None)
    if row is None:
        raise Http404(f"There is no alarm rule {key}.")
    if "reset" in request.POST:
        services.rule_reset(project=project, key=key, by=request.user)
        messages.success(request, _("“{rule}” is as it was by default.").format(rule=row.title))
        return redirect(f"{reverse('alarms', args=[project.slug])}#rule-{key}")
    form = RuleForm(request.POST, row=row)
    if not form.is_valid():
        return _page(request, project, form)
    services.rule_change(project=project, key=key, by=request.user, **form.cleaned_data)
    messages.success(request, _("“{rule}” is saved and holds from the next look on.").format(rule=row.title))
    return redirect(f"{reverse('alarms', args=[project.slug])}#rule-{key}")


@project_page(Role.LEAD)
@require_POST
def seen(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    alarm = Alarm.objects.select_related("iteration", "project").filter(project=project, pk=pk).first()
    if alarm is None:
        raise Http404(f"{project} has no alarm {pk}.")
    if services.alarm_seen(alarm=alarm, note=request.POST.get("note", "").strip(), by=request.user):
        messages.success(request, _("Marked as dealt with."))
    else:
        messages.info(request, _("Somebody was faster: it is marked as dealt with already."))
    return redirect("alarms", project.slug)

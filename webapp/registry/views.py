"""The models pages: lineage, one version, promote and roll back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from webapp.accounts.http import SignedInRequest
from webapp.metrics.charts import bands
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least
from webapp.registry import page, services
from webapp.registry.forms import ReasonForm
from webapp.registry.models import ModelVersion

Status = ModelVersion.Status


@project_page()
@require_GET
def models(request: SignedInRequest, project: Project) -> HttpResponse:
    rows = page.versions_of(project)
    series = page.heldout_series(project, rows)
    context = {
        "project": project,
        "nav": "models",
        "rows": rows[::-1],
        "lineage": page.lineage_of(project, rows),
        "chart": bands(series) if len(series) > 1 else None,
        "promotions": page.promotions_of(project)[:20],
    }
    return render(request, "registry/models.html", context)


def _verb(project: Project, version: ModelVersion) -> str:
    """What a lead may do with this version: "promote", "roll_back" or nothing."""
    if not at_least(project.my_role, Role.LEAD):
        return ""
    if version.pk == project.champion_id or version.status == Status.CONTROL:
        return ""
    return "roll_back" if version.status == Status.RETIRED else "promote"


@project_page()
@require_GET
def model(request: SignedInRequest, project: Project, number: int) -> HttpResponse:
    version = page.version_for(project, number)
    context = {
        "project": project,
        "nav": "models",
        "version": version,
        "evaluations": page.evaluations_of(version),
        "promotions": page.promotions_of(project, version),
        "children": version.children.order_by("number"),
        "verb": _verb(project, version),
        "form": ReasonForm(),
    }
    return render(request, "registry/model.html", context)


@project_page(Role.LEAD)
def champion(request: SignedInRequest, project: Project, number: int, verb: str) -> HttpResponse:
    """Promote a version or roll back to one, with a reason: a page of its own, so that no slip does it."""
    version = page.version_for(project, number)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            if verb == "roll-back":
                services.champion_roll_back(project=project, to=version, by=request.user, reason=reason)
            else:
                services.champion_promote(project=project, version=version, by=request.user, reason=reason)
        except services.RegistryError as error:
            messages.error(request, f"{error}.")
        else:
            messages.success(request, f"{version.name} is the champion now.")
            return redirect("models", project.slug)
    context = {"project": project, "nav": "models", "version": version, "form": form, "verb": verb}
    return render(request, "registry/champion.html", context, status=422 if form.errors else 200)

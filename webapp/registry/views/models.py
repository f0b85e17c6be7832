"""The models pages: lineage, one version with its card, promote and roll back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from webapp.accounts.http import SignedInRequest
from webapp.events import ticket_for
from webapp.iterations.selectors import weights_units
from webapp.metrics.charts import bands
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least
from webapp.registry import card as cards
from webapp.registry import page, services
from webapp.registry.facts import card_facts
from webapp.registry.forms import KeepForm, NoteForm, ReasonForm
from webapp.registry.models import ModelVersion
from webapp.registry.selectors import unusable

Status = ModelVersion.Status


@project_page()
@require_GET
def models(request: SignedInRequest, project: Project) -> HttpResponse:
    rows = page.versions_of(project)
    series = page.heldout_series(project, rows)
    context = {
        "project": project,
        "nav": "models",
        "groups": page.groups_of(rows),
        "lineage": page.lineage_of(project, rows, whole=request.GET.get("lineage") == "all"),
        "chart": bands(series) if len(series) > 1 else None,
        "promotions": page.promotions_of(project)[:20],
        "storage": page.storage_of(rows),
        "keep_form": KeepForm(initial={"days": project.keep_weights_days}),
        "may_lead": at_least(project.my_role, Role.LEAD),
    }
    return render(request, "registry/models.html", context)


def _verb(project: Project, version: ModelVersion) -> str:
    """What a lead may do with this version: "promote", "roll_back" or nothing."""
    if not at_least(project.my_role, Role.LEAD) or version.status == Status.CHAMPION or unusable(version):
        return ""
    return "roll_back" if version.status == Status.RETIRED else "promote"


@vary_on_headers("HX-Request")
@project_page()
@require_GET
def model(request: SignedInRequest, project: Project, number: int) -> HttpResponse:
    version = page.version_for(project, number)
    may_lead, units = at_least(project.my_role, Role.LEAD), weights_units(version)
    context = {"project": project, "version": version, "units": units, "may_lead": may_lead}
    if request.headers.get("HX-Request"):  # the part that changes while a worker is at its weights
        response = render(request, "registry/version_work.html", {**context, "over": not units.moving})
        response["Cache-Control"] = "no-store"
        return response
    context |= {
        "nav": "models",
        "moving": units.moving,
        "live_url": f"/events/{ticket_for(project_id=project.pk)}",
        "evaluations": page.evaluations_of(version),
        "promotions": page.promotions_of(project, version),
        "children": version.children.order_by("number"),
        "verb": _verb(project, version),
        "unusable": unusable(version),
        "card": cards.body(card_facts(version)),
        "canary": page.canary_of(version),
        "note_form": NoteForm(initial={"note": version.note}),
    }
    return render(request, "registry/model.html", context)


@project_page()
@require_GET
def card(request: SignedInRequest, project: Project, number: int) -> HttpResponse:
    """The model card as a file."""
    version = page.version_for(project, number)
    return HttpResponse(
        cards.card(card_facts(version)),
        content_type="text/markdown; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{version.name}.md"'},
    )


@project_page(Role.LEAD)
@require_POST
def note(request: SignedInRequest, project: Project, number: int) -> HttpResponse:
    """What people say of a version: part of its card."""
    version = page.version_for(project, number)
    form = NoteForm(request.POST)
    if form.is_valid():
        services.version_note(version=version, note=form.cleaned_data["note"], by=request.user)
        messages.success(request, _("The note is on the card now."))
    else:
        messages.error(request, form.errors["note"].as_text())
    return redirect("model", project.slug, number)


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
            messages.success(request, _("{name} is the champion now.").format(name=version.name))
            return redirect("models", project.slug)
    context = {
        "project": project,
        "nav": "models",
        "version": version,
        "form": form,
        "verb": verb,
        "now": page.in_use_now(project, version),
    }
    return render(request, "registry/champion.html", context, status=422 if form.errors else 200)

"""Freezing a dataset version by hand: choose, see what it would hold and why not more, freeze."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from webapp.accounts.http import SignedInRequest
from webapp.curate.composing import Composition, compose
from webapp.curate.forms import MixForm
from webapp.curate.services import dataset_compose
from webapp.curate.versions import bars, stacks
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role


def _composed(project: Project, form: MixForm) -> Composition:
    fresh, replayed = form.chosen(project)
    return compose(
        project=project,
        fresh=fresh,
        replayed=replayed,
        part=form.cleaned_data["part"],
        seed=form.cleaned_data["seed"] or 0,
    )


def _shown(composition: Composition) -> dict[str, object]:
    return {
        "composition": composition,
        "stacks": stacks(composition.table),
        "ages": bars(dict(composition.mixture.facts()["ages"])),
        "prompts": len({row.prompt_id for row in composition.mixture.rows}),
    }


def _with_defaults(given: QueryDict) -> QueryDict:
    """Settings from an address, e.g. a choice of kinds; what it does not name starts as usual."""
    data = given.copy()
    for name, field in MixForm().fields.items():
        if name not in data and field.initial is not None:
            data[name] = str(field.initial)
    return data


@project_page(Role.LEAD)
def freeze(request: SignedInRequest, project: Project) -> HttpResponse:
    form = MixForm(request.POST if request.method == "POST" else _with_defaults(request.GET))
    context: dict[str, object] = {"project": project, "nav": "datasets", "form": form}
    if form.is_valid():
        composition = _composed(project, form)
        if request.POST.get("do") == "freeze":
            if composition.mixture.rows:
                before = project.dataset_versions.count()
                dataset = dataset_compose(
                    project=project,
                    composition=composition,
                    note=form.cleaned_data["note"],
                    by=request.user,
                )
                if project.dataset_versions.count() == before:
                    said = _("The same rows were frozen before: this is dataset version %(n)s.")
                else:
                    said = _("Dataset version %(n)s is frozen.")
                messages.success(request, said % {"n": dataset.number})
                return redirect("dataset", project.slug, dataset.number)
            form.add_error(None, _("No row is left to freeze: widen the choice or loosen a limit."))
        context |= _shown(composition)
    return render(request, "curate/freeze.html", context, status=422 if form.errors else 200)


@project_page(Role.LEAD)
@require_POST
def preview(request: SignedInRequest, project: Project) -> HttpResponse:
    """What the settings would give, for the page to show while they change."""
    form = MixForm(request.POST)
    context: dict[str, object] = {"project": project, "form": form}
    if form.is_valid():
        context |= _shown(_composed(project, form))
    return render(request, "curate/preview.html", context)

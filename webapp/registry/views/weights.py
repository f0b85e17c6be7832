"""Weights in and out by browser: import, checks, merged models, downloads, how long they are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from webapp.accounts.http import SignedInRequest
from webapp.iterations.selectors import weights_units
from webapp.iterations.services import adapter_inspect, model_merge
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.registry import exports, page, services
from webapp.registry.facts import base_name
from webapp.registry.forms import ImportForm, KeepForm, MergeForm
from webapp.registry.models import ModelVersion
from webapp.registry.services import OtherBase, RegistryError


@project_page(Role.LEAD)
def import_(request: SignedInRequest, project: Project) -> HttpResponse:
    """An adapter trained elsewhere, uploaded: registered, and loaded by a worker before it counts."""
    form = ImportForm(request.POST or None, request.FILES or None)
    problem, other_base = "", False
    if request.method == "POST" and form.is_valid():
        try:
            version = _imported(project, form, request)
        except OtherBase as error:
            problem, other_base = str(error), True
        except RegistryError as error:
            problem = str(error)
        else:
            messages.success(
                request,
                _("{name} is registered. A worker loads it now to see that it fits; until then it cannot be"
                  " promoted.").format(name=version.name),
            )  # fmt: skip
            return redirect("model", project.slug, version.number)
    context = {
        "project": project,
        "nav": "models",
        "form": form,
        "problem": problem,
        "other_base": other_base,
        "base": base_name(project.base),
        "limit": settings.ADAPTER_UPLOAD_BYTES,
    }
    return render(request, "registry/import.html", context, status=422 if problem or form.errors else 200)


def _imported(project: Project, form: ImportForm, request: SignedInRequest) -> ModelVersion:
    with TemporaryDirectory(prefix="upload-") as aside:
        folder = Path(aside) / "upload"
        folder.mkdir()
        services.upload_unpack(files=form.cleaned_data["adapter"], into=folder)
        with transaction.atomic():
            version = services.adapter_import(
                project=project,
                folder=folder,
                trained_on_this_base=form.cleaned_data["trained_on_this_base"],
                note=form.cleaned_data["note"],
                by=request.user,
            )
            adapter_inspect(version=version, by=request.user)
    return version


@project_page(Role.LEAD)
@require_POST
def inspect(request: SignedInRequest, project: Project, number: int) -> HttpResponse:
    """Have a worker load an adapter again, after a check that failed."""
    adapter_inspect(version=page.version_for(project, number), by=request.user)
    messages.success(request, _("A worker loads it to see that it fits."))
    return redirect("model", project.slug, number)


@project_page(Role.LEAD)
@require_POST
def merge(request: SignedInRequest, project: Project, number: int) -> HttpResponse:
    """Have base and adapter merged into one model for download."""
    form = MergeForm(request.POST)
    if not form.is_valid():
        return redirect("model", project.slug, number)
    try:
        model_merge(
            version=page.version_for(project, number), precision=form.cleaned_data["dtype"], by=request.user
        )
    except RegistryError as error:
        messages.error(request, f"{error}.")
    else:
        messages.success(request, _("A worker merges it; the download stands here when it is done."))
    return redirect("model", project.slug, number)


@project_page(Role.LEAD)
@require_GET
def adapter(request: SignedInRequest, project: Project, number: int) -> HttpResponseBase:
    """The adapter with its card, streamed."""
    version = page.version_for(project, number)
    try:
        return _download(exports.adapter_zip(version), f"{version.name}.zip")
    except RegistryError as error:
        messages.error(request, f"{error}.")
        return redirect("model", project.slug, number)


@project_page(Role.LEAD)
@require_GET
def merged(request: SignedInRequest, project: Project, number: int) -> HttpResponseBase:
    """The merged model that was made last, with its card, streamed."""
    version = page.version_for(project, number)
    unit = weights_units(version).export
    try:
        if unit is None or unit.state != "done":
            raise RegistryError(_("There is no merged model of {name} yet").format(name=version.name))
        folder = exports.merged_folder(unit.result["sha"])
        return _download(exports.merged_zip(version, folder), f"{version.name}-{unit.result['dtype']}.zip")
    except RegistryError as error:
        messages.error(request, f"{error}.")
        return redirect("model", project.slug, number)


def _download(pieces: Iterator[bytes], name: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        pieces,
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@project_page(Role.LEAD)
@require_POST
def keep(request: SignedInRequest, project: Project) -> HttpResponse:
    """For how long weights are kept that the gate held."""
    form = KeepForm(request.POST)
    if form.is_valid():
        services.keep_weights(project=project, days=form.cleaned_data["days"], by=request.user)
        messages.success(request, _("Saved."))
    else:
        messages.error(request, form.errors["days"].as_text())
    return redirect("models", project.slug)

"""The pages of training runs: the list, one run live, starting one from a dataset version."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from webapp.accounts.http import SignedInRequest
from webapp.curate.models import DatasetVersion
from webapp.events import ticket_for
from webapp.iterations import preview_page
from webapp.iterations import runs_page as page
from webapp.iterations.models import WorkUnit
from webapp.iterations.run_forms import RunForm, kinds_of
from webapp.iterations.services import runs as services
from webapp.metrics.charts import curve
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least

PER_PAGE = 25

# name -> (service, what is said afterwards)
ACTIONS: dict[str, tuple[Callable[..., Any], Any]] = {
    "pause": (services.run_pause, gettext_lazy("Paused. The trainer writes a checkpoint and ends.")),
    "resume": (services.run_resume, gettext_lazy("Resumed. It goes on from its last checkpoint.")),
    "cancel": (services.run_cancel, gettext_lazy("Cancelled. Its checkpoints stay for a retry.")),
    "retry": (services.run_retry, gettext_lazy("Queued again. It goes on from its last checkpoint.")),
}


@project_page()
@require_GET
def runs(request: SignedInRequest, project: Project) -> HttpResponse:
    rows = Paginator(page.runs_of(project), PER_PAGE).get_page(request.GET.get("page"))
    found = page.described(project, rows.object_list)
    context = {
        "project": project,
        "nav": "runs",
        "page": rows,
        "runs": found,
        "live_url": f"/events/{ticket_for(project_id=project.pk)}",
        "moving": any(run.live for run in found),
        "may_lead": at_least(project.my_role, Role.LEAD),
    }
    # With htmx only the table that changes is asked for.
    return _fresh(
        request, "runs/rows.html" if request.headers.get("HX-Request") else "runs/list.html", context
    )


def _fresh(request: SignedInRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    response = render(request, template, context)
    response["Cache-Control"] = "no-store"
    response["Vary"] = "HX-Request"
    return response


def _context(project: Project, pk: int) -> dict[str, Any]:
    unit = page.run_for(project, pk)
    (run,) = page.described(project, [unit])
    may_lead = at_least(project.my_role, Role.LEAD)
    return {
        "project": project,
        "nav": "runs",
        "run": run,
        "unit": unit,
        "twin": page.twin_of(unit),
        "actions": page.actions_of(run) if may_lead else set(),
        "log": page.log_tail(run) if run.state == "failed" else "",
    }


@project_page()
@require_GET
def run(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    context = _context(project, pk)
    unit = context["unit"]
    drawn = page.curve_of(unit)
    losses = [
        (step, loss)
        for step, loss in zip(drawn["steps"], drawn["columns"].get("loss", []), strict=False)
        if loss is not None
    ]
    context |= {
        "live_url": f"/events/{ticket_for(project_id=project.pk, iteration_id=unit.iteration_id)}",
        "fragment_url": reverse("run_live", args=[project.slug, pk]),
        "points": drawn,
        "curve": curve(losses, drawn["total"]) if losses else None,
    }
    return render(request, "runs/run.html", context)


@project_page()
@require_GET
def run_live(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    """The part of the page that changes while it runs."""
    context = _context(project, pk)
    return _fresh(request, "runs/live.html", {**context, "over": not context["run"].live})


@project_page()
@require_GET
def run_points(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    """The curve beyond step ``after``, for the chart."""
    after = request.GET.get("after", "0")
    if not after.isdigit() or len(after) > 9:
        raise Http404(f"{after} is no step.")
    response = JsonResponse(page.curve_of(page.run_for(project, pk), int(after)))
    response["Cache-Control"] = "no-store"
    return response


@project_page()
@require_GET
def run_csv(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    unit = page.run_for(project, pk)
    head, rows = page.curve_rows(unit)
    name = f"{services.run_name(unit)}-curve.csv"
    response = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
    writer = csv.writer(response)
    writer.writerow(head)
    writer.writerows(rows)
    return response


@project_page(Role.LEAD)
@require_POST
def act(request: SignedInRequest, project: Project, pk: int, action: str) -> HttpResponse:
    if action not in ACTIONS:
        raise Http404(f"Nothing called {action} can be done to a run.")
    service, said = ACTIONS[action]
    try:
        service(unit=page.run_for(project, pk), by=request.user)
    except services.RunError as error:
        messages.error(request, f"{error}.")
    else:
        messages.success(request, said)
    return redirect("run", project.slug, pk)


# ---- starting one ------------------------------------------------------------------------------------------


@project_page(Role.LEAD)
def new(request: SignedInRequest, project: Project) -> HttpResponse:
    """Choose a dataset version and settings, look at what would be trained, start.

    The settings and the preview are in the address, so that it all works by plain reloads.
    """
    datasets = preview_page.datasets_of(project)
    dataset = preview_page.dataset_named(datasets, request.GET.get("dataset"))
    context: dict[str, Any] = {
        "project": project,
        "nav": "runs",
        "datasets": datasets,
        "dataset": dataset,
    }
    if dataset is None:
        return render(request, "runs/new.html", context, status=404 if request.GET.get("dataset") else 200)
    filled = request.POST if request.method == "POST" else request.GET if "objective" in request.GET else None
    form = RunForm(filled, project=project, dataset=dataset, initial=preview_page.settings_before(dataset))
    preview = preview_page.preview_for(project, filled.get("preview") if filled is not None else None)
    if filled is not None and form.is_valid():
        fits = preview is not None and preview_page.preview_fits(preview, dataset, form.finetune)
        preview = preview if fits else None
        if request.method == "POST" and (answer := _started(request, project, dataset, form, preview)):
            return answer
    else:
        preview = None
    context |= {
        "form": form,
        "kinds": kinds_of(dataset),
        "preview": preview,
        "shown": preview_page.shown_of(preview),
    }
    if preview is not None and preview_page.under_way(preview):
        context["live_url"] = f"/events/{ticket_for(project_id=project.pk)}"
    return render(request, "runs/new.html", context, status=422 if form.errors else 200)


def _started(
    request: SignedInRequest,
    project: Project,
    dataset: DatasetVersion,
    form: RunForm,
    preview: WorkUnit | None,
) -> HttpResponse | None:
    """What follows a valid form: the page of the run or of the preview; None where it is refused."""
    try:
        if request.POST.get("do") != "start":
            made = services.preview_start(
                project=project, dataset=dataset, finetune=form.finetune, by=request.user
            )
            return redirect(_address(request, dataset, made) + "#preview")
        if why := preview_page.not_startable(preview):
            form.add_error(None, why)
            return None
        unit = services.run_start(
            project=project,
            dataset=dataset,
            finetune=form.finetune,
            start=form.start_version,
            seed=form.cleaned_data["seed"],
            by=request.user,
        )
    except services.RunError as error:
        form.add_error(None, f"{error}.")
        return None
    messages.success(request, _("{name} is queued.").format(name=services.run_name(unit)))
    return redirect("run", project.slug, unit.pk)


def _address(request: SignedInRequest, dataset: DatasetVersion, preview: WorkUnit) -> str:
    query = QueryDict(mutable=True)
    query["dataset"] = str(dataset.number)
    left_out = ("csrfmiddlewaretoken", "do", "preview", "dataset")
    query.update({name: str(request.POST[name]) for name in request.POST if name not in left_out})
    query["preview"] = str(preview.pk)
    return f"{request.path}?{query.urlencode()}"


@project_page(Role.LEAD)
@require_GET
def preview_live(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    """Where a preview stands, while it is made."""
    preview = preview_page.preview_for(project, str(pk))
    if preview is None:
        raise Http404(f"{project} has no preview {pk}.")
    over = not preview_page.under_way(preview)
    return _fresh(request, "runs/preview_wait.html", {"project": project, "preview": preview, "over": over})

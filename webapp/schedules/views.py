"""The schedules pages: leads see them, administrators make, change and run them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import available_timezones

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from webapp.accounts.http import SignedInRequest
from webapp.accounts.models import User
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least
from webapp.projects.selectors import built_in, prompts_of
from webapp.schedules import selectors, services
from webapp.schedules.forms import NOT_PLAN, ScheduleForm
from webapp.schedules.models import Schedule
from webapp.schedules.words import plan_words

PER_PAGE = 25


def _on(*, schedule: Schedule, by: User) -> str:
    services.schedule_enable(schedule=schedule, on=True, by=by)
    return _("Switched on.")


def _off(*, schedule: Schedule, by: User) -> str:
    services.schedule_enable(schedule=schedule, on=False, by=by)
    return _("Switched off. What passes until it is on again is not caught up.")


def _run(*, schedule: Schedule, by: User) -> str:
    run = services.schedule_run(schedule=schedule, by=by)
    return _("{iteration} has started.").format(iteration=run.iteration)


def _remove(*, schedule: Schedule, by: User) -> str:
    services.schedule_remove(schedule=schedule, by=by)
    return _("Removed. The iterations it started stay.")


ACTIONS: dict[str, Callable[..., str]] = {"on": _on, "off": _off, "run": _run, "remove": _remove}


def _context(project: Project) -> dict[str, Any]:
    return {"project": project, "nav": "schedules", "may_edit": at_least(project.my_role, Role.ADMIN)}


def _schedule(project: Project, pk: int) -> Schedule:
    try:
        return selectors.schedule_for(project, pk)
    except Schedule.DoesNotExist as error:
        raise Http404(f"{project} has no schedule {pk}.") from error


def _form(request: SignedInRequest, project: Project, schedule: Schedule | None = None) -> ScheduleForm:
    train = prompts_of(project, split="train")
    arithmetic = train.exists() and not train.exclude(built_in()).exists()
    given = request.POST if request.method == "POST" else None  # one without a field is one with errors
    return ScheduleForm(given, may_simulate=arithmetic, schedule=schedule)


@project_page(Role.LEAD)
@require_GET
def schedules(request: SignedInRequest, project: Project) -> HttpResponse:
    context = _context(project) | {"rows": selectors.schedules_of(project)}
    return render(request, "schedules/list.html", context)


@project_page(Role.ADMIN)
def schedule_new(request: SignedInRequest, project: Project) -> HttpResponse:
    form = _form(request, project)
    if (made := _saved(request, project, form, None)) is not None:
        messages.success(request, _("The schedule is created and switched on."))
        return redirect("schedule", project.slug, made.pk)
    return _edited(request, project, form)


@project_page(Role.LEAD)
def schedule(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    found = _schedule(project, pk)
    context = _context(project)
    form = None
    if context["may_edit"]:
        form = _form(request, project, found)
        if _saved(request, project, form, found) is not None:
            messages.success(request, _("Saved."))
            return redirect("schedule", project.slug, pk)
    elif request.method == "POST":
        return HttpResponse(status=403)
    runs = found.runs.select_related("iteration", "asked_by")
    page = Paginator(runs, PER_PAGE).get_page(request.GET.get("page"))
    return _edited(request, project, form, selectors.shown_of(found, []), page)


def _edited(
    request: SignedInRequest, project: Project, form: ScheduleForm | None, shown: Any = None, page: Any = None
) -> HttpResponse:
    zones = sorted(z for z in available_timezones() if "/" in z or z == "UTC")
    context = _context(project) | {"form": form, "row": shown, "page": page, "zones": zones if form else []}
    status = 422 if form is not None and form.errors else 200
    return render(request, "schedules/schedule.html", context, status=status)


def _saved(
    request: SignedInRequest, project: Project, form: ScheduleForm, found: Schedule | None
) -> Schedule | None:
    if request.method != "POST" or not form.is_valid():
        return None
    try:
        return services.schedule_set(project=project, schedule=found, by=request.user, **form.settings())
    except services.ScheduleError as error:
        form.add_error(None, str(error))
        return None


@project_page(Role.ADMIN)
@require_POST
def describe(request: SignedInRequest, project: Project) -> JsonResponse:
    """What a half-filled form would do, in words: asked for while it is being filled in."""
    form = _form(request, project)
    form.is_valid()
    if "plan" not in form.cleaned_data:
        said = [str(error) for name in form.errors if name not in NOT_PLAN for error in form.errors[name]]
        return JsonResponse({"words": "", "next": [], "problem": said[0] if said else ""})
    plan = form.cleaned_data["plan"]
    times = [at.isoformat() for at in selectors.next_times(plan, timezone.now())]
    return JsonResponse({"words": plan_words(plan), "next": times, "zone": plan.zone, "problem": ""})


@project_page(Role.ADMIN)
@require_POST
def act(request: SignedInRequest, project: Project, pk: int, action: str) -> HttpResponse:
    if action not in ACTIONS:
        raise Http404(f"Nothing called {action} can be done to a schedule.")
    found = _schedule(project, pk)
    try:
        messages.success(request, ACTIONS[action](schedule=found, by=request.user))
    except services.ScheduleError as error:
        messages.error(request, str(error))
    if action == "remove":
        return redirect("schedules", project.slug)
    return redirect("schedule", project.slug, pk)

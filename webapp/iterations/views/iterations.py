"""The iterations pages: list and start, one iteration live, and what people do to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as _noop
from django.views.decorators.http import require_GET, require_POST

from loop.recipe import recipe_parse, recipes
from loop.stages import Stage, Status
from webapp.accounts.http import SignedInRequest
from webapp.accounts.models import User
from webapp.events import ticket_for
from webapp.iterations import page, services
from webapp.iterations.decision_page import evidence
from webapp.iterations.flips import flips_of, pair_of
from webapp.iterations.forms import StartForm
from webapp.iterations.models import Iteration
from webapp.iterations.selectors import compared_blindly
from webapp.metrics.iteration_page import measured_context
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least
from webapp.projects.selectors import built_in, prompts_of

PER_PAGE = 25


def _control(*, iteration: Iteration, by: User) -> None:
    services.iteration_start(
        project=iteration.project,
        recipe=recipe_parse(iteration.recipe, str(iteration)),
        started_by=by,
        control_of=iteration,
    )


# name -> (service, what is said afterwards)
ACTIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "pause": (services.iteration_pause, _noop("Paused. Workers give back what they hold; nothing is lost.")),
    "resume": (services.iteration_resume, _noop("Resumed.")),
    "cancel": (services.iteration_cancel, _noop("Cancelled. What people annotated stays.")),
    "retry": (services.iteration_retry, _noop("The failed work is queued again; finished work is kept.")),
    "close": (services.annotation_close, _noop("Going on with the answers there are.")),
    "simulate": (services.annotators_simulate, _noop("Simulated annotators are answering what is open.")),
    "control": (_control, _noop("The shuffled-label control has started.")),
}


@project_page()
@require_GET
def iterations(request: SignedInRequest, project: Project) -> HttpResponse:
    rows = Paginator(page.iterations_of(project), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "project": project,
        "nav": "iterations",
        "page": rows,
        "open": page.iteration_open(project),
        "may_lead": at_least(project.my_role, Role.LEAD),
    }
    return render(request, "iterations/list.html", context)


@project_page(Role.LEAD)
def start(request: SignedInRequest, project: Project) -> HttpResponse:
    train = prompts_of(project, split="train")
    form = StartForm(
        request.POST or None,
        recipes=recipes(),
        may_simulate=train.exists() and not train.exclude(built_in()).exists(),
        initial={"recipe": request.GET.get("recipe")},
    )
    if request.method == "POST" and form.is_valid():
        try:
            iteration = services.iteration_start(
                project=project,
                recipe=form.cleaned_data["changed"],
                started_by=request.user,
                seed=form.cleaned_data["seed"],
                simulate_annotators=form.cleaned_data.get("simulate_annotators", False),
            )
        except services.IterationError as error:
            form.add_error(None, _("Not started: {error}.").format(error=error))
        else:
            messages.success(request, _("{iteration} has started.").format(iteration=iteration))
            return redirect("iteration", project.slug, iteration.number)
    context = {"project": project, "nav": "iterations", "form": form, "open": page.iteration_open(project)}
    return render(request, "iterations/start.html", context, status=422 if form.errors else 200)


def _live_context(iteration: Iteration, project: Project) -> dict[str, Any]:
    stages = page.stages_of(iteration)
    losses = page.losses_of(iteration)
    may_lead = at_least(project.my_role, Role.LEAD)
    return {
        "project": project,
        "nav": "iterations",
        "iteration": iteration,
        "stages": stages,
        "now": next((s for s in stages if s.stage == iteration.stage), None),
        "moving": iteration.status in page.MOVING,
        "actions": page.actions_of(iteration) if may_lead else set(),
        "may_lead": may_lead,
        "may_annotate": at_least(project.my_role, Role.ANNOTATOR),
        "bars": page.funnel_of(iteration.counts),
        "dropped": page.dropped_of(iteration.counts),
        "losses": losses,
        "curve": page.loss_curve(losses),
        "measuring": any(w.kind == "measure" and w.done < w.total for s in stages for w in s.work),
        "run_pk": next((w.pk for s in stages for w in s.work if w.kind == "train"), None),
        "decision": iteration.decision,
        "evidence": evidence(iteration),
        "controls": list(iteration.controls.select_related("challenger")),
        "transitions": list(iteration.transitions.all()),
        "may_control": may_lead
        and iteration.stage == Stage.DONE.value
        and iteration.arm == Iteration.Arm.MAIN,
    }


@project_page()
@require_GET
def iteration(request: SignedInRequest, project: Project, number: int) -> HttpResponse:
    found = page.iteration_for(project, number)
    context = _live_context(found, project)
    context |= measured_context(project, found, context["losses"]) | {
        "live_url": f"/events/{ticket_for(project_id=project.pk, iteration_id=found.pk)}",
        "log_below": not context["moving"],
        "fragment_url": reverse("iteration_live", args=[project.slug, number]),
    }
    told = context["may_lead"] or not compared_blindly(project)
    if told and (pair := pair_of(found)):
        context["flips"] = flips_of(pair, {now: request.GET.get(now) for now in ("right", "wrong")})
        context["pair"] = pair
    return render(request, "iterations/iteration.html", context)


@project_page()
@require_GET
def iteration_live(request: SignedInRequest, project: Project, number: int) -> HttpResponse:
    """The part of the page that changes while it runs."""
    found = page.iteration_for(project, number)
    over = found.status in (Status.DONE.value, Status.CANCELLED.value)
    response = render(request, "iterations/live.html", {**_live_context(found, project), "over": over})
    response["Cache-Control"] = "no-store"
    return response


@project_page(Role.LEAD)
@require_POST
def act(request: SignedInRequest, project: Project, number: int, action: str) -> HttpResponse:
    if action not in ACTIONS:
        raise Http404(f"Nothing called {action} can be done to an iteration.")
    found = page.iteration_for(project, number)
    service, said = ACTIONS[action]
    try:
        service(iteration=found, by=request.user)
    except services.IterationError as error:
        messages.error(request, f"{error}.")
    else:
        messages.success(request, _(said))
    if action == "control":
        return redirect("iterations", project.slug)
    return redirect("iteration", project.slug, number)

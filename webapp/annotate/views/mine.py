"""An annotator's own answers, those sent back first; and how an answer became what it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.core.paginator import Paginator
from django.db.models import Case, Value, When
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from webapp.accounts.http import SignedInRequest
from webapp.annotate.changes import versions_of
from webapp.annotate.models import Adjudication, Annotation, TaskKind
from webapp.annotate.reviewing import said_of
from webapp.annotate.selectors import with_iteration
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least

PER_PAGE = 50


@require_GET
@project_page(Role.ANNOTATOR)
def answers(request: SignedInRequest, project: Project) -> HttpResponse:
    """Newest first; what was sent back comes before everything else."""
    state, kind = request.GET.get("state", ""), request.GET.get("kind", "")
    state = state if state in Annotation.State.values else ""
    kind = kind if kind in TaskKind.values else ""
    mine = Annotation.objects.filter(user=request.user, task__project=project)
    back = mine.filter(state=Annotation.State.SENT_BACK).count()
    if state:
        mine = mine.filter(state=state)
    if kind:
        mine = mine.filter(task__kind=kind)
    first = Case(When(state=Annotation.State.SENT_BACK, then=Value(0)), default=Value(1))
    shown = with_iteration(mine).select_related("task__prompt").prefetch_related("notes__author")
    page = Paginator(shown.order_by(first, "-created_at", "-pk"), PER_PAGE).get_page(request.GET.get("page"))
    iterations = _iterations(page)
    kept = urlencode({k: v for k, v in (("state", state), ("kind", kind)) if v})
    context = {
        "project": project,
        "nav": "annotate",
        "page": page,
        "rows": [_row(a, iterations) for a in page],
        "query": f"{kept}&" if kept else "",
        "state": state,
        "kind": kind,
        "states": Annotation.State.choices,
        "kinds": TaskKind.choices,
        "back": back,
    }
    return render(request, "annotate/mine/answers.html", context)


def _row(answer: Annotation, iterations: Mapping[int, Any]) -> dict[str, Any]:
    iteration = iterations.get(answer.collected_in)  # type: ignore[attr-defined]  # by `with_iteration`
    return {
        "answer": answer,
        "iteration": iteration,
        "word": said_of(answer.task.kind, answer.outcome, answer.payload),
        "changeable": iteration is None or iteration.stage == "annotate",
    }


def _iterations(answers: Iterable[Any]) -> dict[int, Any]:
    wanted = {answer.collected_in for answer in answers}
    found: dict[int, Any] = apps.get_model("iterations", "Iteration")._default_manager.in_bulk(
        wanted - {None}
    )
    return found


@require_GET
@project_page(Role.ANNOTATOR)
def answer_history(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    """Every version of an answer: for its author and for leads."""
    found = (
        with_iteration(Annotation.objects.select_related("task__prompt", "user"))
        .prefetch_related("notes__author")
        .filter(pk=pk, task__project=project)
    )
    lead = at_least(project.my_role, Role.LEAD)
    answer = (found if lead else found.filter(user=request.user)).first()
    if answer is None:
        raise Http404("There is no such answer, or it is not yours.")
    own = answer.user_id == request.user.pk
    context = {
        "project": project,
        "nav": "annotate" if own else "review",
        "own": own,
        "lead": lead,
        "versions": versions_of(answer),
        "final": Adjudication.objects.filter(task=answer.task).first(),
        **_row(answer, _iterations([answer])),
    }
    return render(request, "annotate/mine/history.html", context)

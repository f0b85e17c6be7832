"""The annotation page: one view that works as a plain form, and that the page's JavaScript takes over."""

from __future__ import annotations

import uuid
from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from webapp.accounts import comfort
from webapp.accounts.models import User
from webapp.annotate import comparing, earlier, forms, selectors, services
from webapp.annotate.api import next_item
from webapp.annotate.errors import AnnotateConflict, PayloadInvalid
from webapp.annotate.models import Annotation, Assignment, TaskKind
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role

_ANY = uuid.UUID(int=0)


@require_http_methods(["GET", "POST"])
@project_page(Role.ANNOTATOR)
def annotate(request: HttpRequest, project: Project) -> HttpResponse:
    """GET: claim (or resume) an item and show it. POST: the answer as a plain form, without JavaScript."""
    kind = request.GET.get("kind")
    kind = kind if kind in TaskKind.values else None
    if request.method == "POST":
        if _take(request):
            return redirect(request.get_full_path())
        status, draft = 422, forms.draft_of(request.POST)
    else:
        status, draft = 200, None
    return _show(request, project, kind, draft, status)


def _take(request: HttpRequest) -> bool:
    """Submit or skip as the form says; on refusal say why and leave the answer on the page."""
    person = cast(User, request.user)
    try:
        form = forms.AnswerForm.of(request.POST)
        claim = selectors.assignment_for(person, form.token)
        if form.action == "skip":
            services.assignment_release(user=person, token=form.token, reason=form.reason)
            messages.info(request, "Skipped: someone else will be asked.")
            return True
        services.annotation_submit(
            user=person,
            assignment_token=form.token,
            submit_key=form.submit_key,
            outcome=form.outcome,
            payload=form.payload(claim.task.kind, selectors.beside(claim.task, {})),
        )
    except Assignment.DoesNotExist as error:
        raise Http404 from error
    except PayloadInvalid as error:
        for problem in error.problems:
            messages.error(request, problem)
        return False
    except AnnotateConflict as error:
        messages.warning(request, str(error))
        return True  # nothing to correct here: go on with what is next
    messages.success(request, "Submitted.")
    return True


def _show(
    request: HttpRequest, project: Project, kind: str | None, draft: dict[str, Any] | None, status: int
) -> HttpResponse:
    found = next_item(cast(User, request.user), project, kind=kind)
    return _page(request, project, found, kind=kind, draft=draft, status=status)


@require_GET
@project_page(Role.ANNOTATOR)
def answer(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """An own earlier answer on the same page: the lead sent it back, or its author changed their mind."""
    try:
        annotation = earlier.answer_for(cast(User, request.user), project, pk)
    except Annotation.DoesNotExist as error:
        raise Http404 from error
    return _page(request, project, {"item": earlier.item_of_answer(annotation), "waiting": 0})


def _page(
    request: HttpRequest,
    project: Project,
    found: dict[str, Any],
    *,
    kind: str | None = None,
    draft: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    item = found["item"]
    mine = comfort.comfort_of(cast(User, request.user).settings)
    answer = draft or (forms.draft_shown(item) if item else {})
    context = {
        "project": project,
        "nav": "annotate",
        "item": item,
        "item_template": f"annotate/_{item['kind']}.html" if item else None,
        "kind_label": TaskKind(item["kind"]).label if item else None,
        "waiting": found["waiting"],
        "why": found.get("why", ""),
        "sent_back": selectors.sent_back_count(cast(User, request.user), project),
        "caps": comfort.caps(mine.keys),
        "sheet": comfort.sheet(mine.keys, [*TaskKind.values, comfort.ALL]),
        "state": {
            **found,
            "kind": kind,
            "user": request.user.pk,
            "advance": mine.advance,
            "keyboard": comfort.keyboard(mine.keys),
            "urls": _urls(project),
        },
        "steps": forms.steps_shown(item, draft) if item else [],
        "answer": answer,
        "compared": comparing.options(item) if item else [],
        "critic_verdict": comparing.review_verdict(item, answer) if item else "",
        "criteria": comparing.criteria_shown(item, answer, request.POST) if item else [],
        "submit_key": uuid.uuid4(),
    }
    return render(request, "annotate/page.html", context, status=status)


def _urls(project: Project) -> dict[str, str]:
    """Addresses for the page's script; TOKEN and 0 stand for what it puts in."""
    return {
        "next": reverse("api:task_next", args=[project.slug]),
        "assignment": reverse("api:draft", args=[_ANY]).removesuffix("draft").replace(str(_ANY), "TOKEN"),
        "annotation": reverse("api:annotation", args=[0]),
        "guidelines": reverse("api:guidelines_read", args=[0]),
        "done": reverse("answers", args=[project.slug]),
    }

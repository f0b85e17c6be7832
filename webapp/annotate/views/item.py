"""The annotation page: one view that works as a plain form, and that the page's JavaScript takes over."""

from __future__ import annotations

import uuid
from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from webapp.accounts.models import User
from webapp.annotate import forms, selectors, services
from webapp.annotate.api import next_item
from webapp.annotate.errors import AnnotateConflict, PayloadInvalid
from webapp.annotate.models import Assignment, TaskKind
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
            payload=form.payload(claim.task.kind, len(selectors.task_texts(claim.task))),
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
    item = found["item"]
    state = {
        **found,
        "kind": kind,
        "user": request.user.pk,
        "urls": {
            "next": reverse("api:task_next", args=[project.slug]),
            "assignment": reverse("api:draft", args=[_ANY]).removesuffix("draft").replace(str(_ANY), "TOKEN"),
            "project": reverse("project", args=[project.slug]),
        },
    }
    context = {
        "project": project,
        "nav": "annotate",
        "item": item,
        "waiting": found["waiting"],
        "state": state,
        "steps": forms.steps_shown(item, draft) if item else [],
        "answer": draft or ((item or {}).get("draft") or {}).get("payload") or {},
        "submit_key": uuid.uuid4(),
    }
    return render(request, "annotate/page.html", context, status=status)

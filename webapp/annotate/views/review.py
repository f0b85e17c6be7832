"""The lead's review: what waits, disagreements first; one task with its votes and the final word on it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from webapp.accounts.http import SignedInRequest
from webapp.annotate import reviewing, services
from webapp.annotate.errors import AnnotateConflict, PayloadInvalid
from webapp.annotate.final import base_of, chosen_word, start_of, word_of
from webapp.annotate.forms import draft_of
from webapp.annotate.models import Annotation, AnnotationTask, TaskKind
from webapp.annotate.reviewing import Shown, Wanted
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role


@require_http_methods(["GET", "POST"])
@project_page(Role.LEAD)
def review(request: SignedInRequest, project: Project) -> HttpResponse:
    """GET: the list. POST: accept the answers of the ticked tasks, or of all that fit the filters."""
    wanted = Wanted.of(request.GET.dict())
    tasks = reviewing.tasks_to_review(project, wanted)
    if request.method == "POST":
        _accept_many(request, tasks)
        return redirect(request.get_full_path())
    page = reviewing.Pages(
        tasks.select_related("prompt", "iteration").defer("prompt__messages", "prompt__meta"),
        reviewing.PER_PAGE,
    ).get_page(request.GET.get("page"))
    address = wanted.address()
    context = {
        "project": project,
        "nav": "review",
        "wanted": wanted,
        "page": page,
        "rows": reviewing.rows_of(list(page)),
        "query": f"{address}&" if address else "",
        "address": address,
        "tabs": _tabs(project, wanted),
        "acceptable": reviewing.capped(tasks.filter(disagreement=0)) if wanted.state == "waiting" else 0,
        "cap": reviewing.CAP,
        "kinds": TaskKind.choices,
        "people": reviewing.people_with_answers(project),
        "iterations": project.iterations.values_list("number", flat=True)[:100],
    }
    return render(request, "annotate/review/list.html", context)


def _tabs(project: Project, wanted: Wanted) -> list[dict[str, Any]]:
    """Only what waits is counted: the rest may be long, and nobody has to know how long."""
    counted = {
        state: reviewing.capped(reviewing.tasks_to_review(project, Wanted.of({"state": state})))
        for state in ("waiting", "disputed")
    }
    return [
        {
            "state": state,
            "label": label,
            "count": counted.get(state),
            "here": state == wanted.state,
            "address": wanted.address(state="" if state == "waiting" else state),
        }
        for state, label in reviewing.STATES.items()
    ]


def _accept_many(request: SignedInRequest, tasks: Any) -> None:
    calm = tasks.filter(disagreement=0)
    if request.POST.get("all") != "1":
        ticked = [pk for pk in request.POST.getlist("task") if pk.isdecimal()]
        calm = calm.filter(pk__in=ticked)
    answers = Annotation.objects.filter(task__in=calm.order_by().values("pk"), state="submitted")
    count = services.answers_accept(by=request.user, answers=answers)
    if count:
        said = ngettext("{n} answer accepted.", "{n} answers accepted.", count)
        messages.success(request, said.format(n=count))
    else:
        messages.info(request, _("No answer was accepted: tick some that are not disputed."))


@require_http_methods(["GET", "POST"])
@project_page(Role.LEAD)
def review_task(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    """GET: the task, opened at the first disputed step. POST: a word on it, then the next one is shown."""
    wanted = Wanted.of(request.GET.dict())
    shown = _shown(project, pk)
    if request.method == "POST" and _act(request, shown):
        return _next(request, project, wanted, shown.task)
    listed = reviewing.tasks_to_review(project, wanted)
    before, after = reviewing.neighbours(listed, shown.task)
    draft = request.POST if request.method == "POST" else None
    address = wanted.address()
    context = {
        "project": project,
        "nav": "review",
        "wanted": wanted,
        "address": f"?{address}" if address else "",
        "toggle": wanted.address(names="hidden" if wanted.names else ""),
        "before": before,
        "after": after,
        "waiting": reviewing.capped(listed),
        "cap": reviewing.CAP,
        "draft": draft,
        "state": _state(shown),
        **_parts(shown, draft),
    }
    return render(request, "annotate/review/task.html", context, status=422 if draft else 200)


def _shown(project: Project, pk: int) -> Shown:
    try:
        return reviewing.task_shown(project, pk)
    except AnnotationTask.DoesNotExist as error:
        raise Http404(f"{project} has no task {pk}.") from error


def _parts(shown: Shown, draft: QueryDict | None) -> dict[str, Any]:
    chosen = draft.get("word", "") if draft else chosen_word(shown)
    based_on = draft.get("based_on", "") if draft else str(base_of(shown) or "")
    words: dict[str, Any] = draft_of(draft) if draft else start_of(shown)
    fields = [
        {name: words[name].get(str(step.index), "") for name in ("marks", "corrections", "comments")}
        for step in shown.steps
    ]
    compared = shown.responses if not shown.one_response else shown.critiques
    return {
        "shown": shown,
        "task": shown.task,
        "chosen": chosen,
        "based_on": based_on,
        "steps": list(zip(shown.steps, fields, strict=True)),
        "verdict": words.get("verdict") or "",
        "note": draft.get("note", "") if draft else getattr(shown.adjudication, "note", ""),
        "is_preference": shown.task.kind == TaskKind.PREFERENCE,
        "is_critique": shown.task.kind == TaskKind.STEP_CRITIQUE,
        "compared": [(f"better:{i}", i + 1) for i in range(len(compared))] if len(compared) > 1 else [],
    }


def _state(shown: Shown) -> dict[str, Any]:
    """What the page's script needs: the votes as critiques, to start an edit from one."""
    return {
        "opens_at": shown.opens_at,
        "disputed": shown.disputed,
        "votes": [{"pk": v.answer.pk, "letter": v.letter, "steps": v.steps} for v in shown.votes],
        "steps": [step.text for step in shown.steps],
    }


def _act(request: SignedInRequest, shown: Shown) -> bool:
    """Do what the form asks; on refusal say why and leave everything on the page."""
    action, _colon, detail = request.POST.get("action", "adjudicate").partition(":")
    try:
        if action == "adjudicate":
            said = _adjudicate(request, shown)
        else:
            said = _judge(request, shown, action, detail)
    except PayloadInvalid as error:
        for problem in error.problems:
            messages.error(request, problem)
        return False
    except AnnotateConflict as error:
        messages.error(request, str(error))
        return False
    messages.success(request, said)
    return True


def _adjudicate(request: SignedInRequest, shown: Shown) -> str:
    outcome, payload, based_on = word_of(request.POST, shown)
    revision = request.POST.get("revision", "0")
    services.adjudicate(
        by=request.user,
        task=shown.task,
        payload=payload,
        outcome=outcome,
        based_on=based_on,
        note=request.POST.get("note", ""),
        revision=int(revision) if revision.isdecimal() else 0,
    )
    return _("Task {n} has its final word.").format(n=shown.task.pk)


def _judge(request: SignedInRequest, shown: Shown, action: str, detail: str) -> str:
    """Accept, reject or send back one answer, or with "all" every one that waits."""
    votes = [v for v in shown.votes if detail == "all" or str(v.answer.pk) == detail]
    if not votes or action not in ("accept", "reject", "send_back"):
        raise PayloadInvalid([_("Choose an answer first.")])
    note = request.POST.get("note", "")
    if action == "accept":
        services.answers_accept(
            by=request.user, answers=Annotation.objects.filter(pk__in=[v.answer.pk for v in votes]), note=note
        )
        return _("Accepted.")
    judge = services.answer_reject if action == "reject" else services.answer_send_back
    for vote in votes:
        judge(by=request.user, annotation=vote.answer, note=note)
    return _("Rejected.") if action == "reject" else _("Sent back, with your note.")


def _next(request: HttpRequest, project: Project, wanted: Wanted, task: AnnotationTask) -> HttpResponse:
    """The next one that fits the filters; the list when there is none. A disputed task whose answer was
    only accepted still waits for its final word, so it is shown again."""
    listed = reviewing.tasks_to_review(project, wanted)
    still = listed.filter(pk=task.pk).exists() and wanted.state in ("waiting", "disputed")
    _before, after = reviewing.neighbours(listed, task)
    target = task if still else after or listed.exclude(pk=task.pk).only("pk").first()
    address = wanted.address()
    name, arguments = ("review_task", [project.slug, target.pk]) if target else ("review", [project.slug])
    return redirect(reverse(name, args=arguments) + (f"?{address}" if address else ""))

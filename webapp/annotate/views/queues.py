"""The queues: how each kind of task is asked, who is at work, and new tasks."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Count, F
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from loop.annotate.order import policies
from webapp.accounts.http import SignedInRequest
from webapp.accounts.models import User
from webapp.annotate import selectors, services
from webapp.annotate.models import AnnotationTask, Assignment, TaskKind, TaskPurpose
from webapp.annotate.queue_forms import AskForm, QueueForm, criteria_of, criteria_shown
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role


@require_http_methods(["GET", "POST"])
@project_page(Role.LEAD)
def queues(request: SignedInRequest, project: Project) -> HttpResponse:
    """GET: all queues with what waits in them. POST: new tasks about responses that are there."""
    form = AskForm(request.POST if request.method == "POST" else None, project=project)
    if request.method == "POST" and form.is_valid() and _ask(request, project, form):
        return redirect("queues", project.slug)
    context = {
        "project": project,
        "nav": "queues",
        "rows": _rows(project),
        "form": form,
        "policies": policies(),
    }
    return render(request, "annotate/queues/list.html", context, status=422 if form.is_bound else 200)


def _ask(request: SignedInRequest, project: Project, form: AskForm) -> bool:
    values = dict(form.cleaned_data)
    source = values.pop("source")
    try:
        made = services.tasks_ask(
            project=project, by=request.user, iteration=int(source) if source else None, **values
        )
    except services.QueueRefused as error:
        form.add_error(None, str(error))
        return False
    if not made and values["kind"] == TaskKind.CRITIQUE_REVIEW:
        form.add_error(None, _("No task was made: no response here has a critique that was not asked about."))
        return False
    if not made:
        form.add_error(None, _("No task was made: every response there is has been asked about."))
        return False
    messages.success(request, ngettext("{n} task made.", "{n} tasks made.", made).format(n=made))
    return True


def _rows(project: Project) -> list[dict[str, Any]]:
    """Every kind of task with its settings, its counts and the people at it. Three queries."""
    found = {q.kind: q for q in project.queues.all()}
    counts = _counts(project)
    return [
        {
            "kind": kind,
            "label": label,
            "queue": found.get(kind),
            "counts": counts.get(kind, _NONE),
            "people": people,
        }
        for (kind, label), people in zip(TaskKind.choices, _at_work(project), strict=True)
    ]


_NONE = {"open": 0, "done": 0, "closed": 0, "held": 0}


def _counts(project: Project) -> dict[str, dict[str, int]]:
    tasks = AnnotationTask.objects.filter(project=project, purpose=TaskPurpose.LABEL).order_by()
    counts = {kind: dict(_NONE) for kind in TaskKind.values}
    for kind, state, n in tasks.values_list("kind", "state").annotate(n=Count("pk")):
        counts[kind][state] = n
    held = _claims(project).values_list("task__kind").annotate(n=Count("pk"))
    for kind, n in held:
        counts[kind]["held"] = n
    return counts


def _claims(project: Project) -> Any:
    live = Assignment.objects.filter(state=Assignment.State.ACTIVE, lease_until__gt=timezone.now())
    return live.filter(task__project=project).order_by()


def _at_work(project: Project) -> list[list[User]]:
    """Who holds an item now, for each kind of task in their order."""
    claims = _claims(project).select_related("user").annotate(of=F("task__kind")).distinct()
    people: dict[str, dict[int, User]] = {kind: {} for kind in TaskKind.values}
    for claim in claims[:500]:
        people[claim.of][claim.user_id] = claim.user
    return [list(people[kind].values()) for kind in TaskKind.values]


@require_http_methods(["GET", "POST"])
@project_page(Role.LEAD)
def queue(request: SignedInRequest, project: Project, kind: str) -> HttpResponse:
    """One queue: its settings, and asking named people. POST does what ``do`` says."""
    if kind not in TaskKind.values:
        raise Http404(f"There is no kind of task {kind!r}.")
    doing = request.POST.get("do", "") if request.method == "POST" else ""
    settings = selectors.queue_of(project.pk, kind)
    form = QueueForm(request.POST if doing == "save" else None, queue=settings)
    if (doing == "save" and _save(request, project, kind, form)) or (
        doing in _DEEDS and _DEEDS[doing](request, project, kind)
    ):
        return redirect(reverse("queue", args=[project.slug, kind]))
    context = {
        "project": project,
        "nav": "queues",
        "kind": kind,
        "label": TaskKind(kind).label,
        "queue": settings,
        "form": form,
        "criteria": criteria_shown(settings, request.POST if doing == "save" else None),
        "policies": policies(),
        "counts": _counts(project)[kind],
        "people": selectors.people_who_annotate(project),
        "tasks": request.POST.get("tasks") or request.GET.get("tasks", ""),
        "refused": bool(doing),
    }
    return render(request, "annotate/queues/queue.html", context, status=422 if doing else 200)


def _save(request: SignedInRequest, project: Project, kind: str, form: QueueForm) -> bool:
    if not form.is_valid():
        return False
    values = form.settings() | {"criteria": criteria_of(request.POST)}
    try:
        services.queue_set(project=project, kind=kind, by=request.user, **values)
    except services.QueueRefused as error:
        for problem in error.problems:
            form.add_error(None, problem)
        return False
    messages.success(request, _("Settings saved."))
    return True


def _reorder(request: SignedInRequest, project: Project, kind: str) -> bool:
    moved = services.queue_reorder(project=project, kind=kind, by=request.user)
    messages.success(
        request,
        ngettext("{n} waiting task reordered.", "{n} waiting tasks reordered.", moved).format(n=moved),
    )
    return True


def _invite(request: SignedInRequest, project: Project, kind: str) -> bool:
    """Ask the ticked people, and only them, the named tasks; nobody ticked: everybody again."""
    named = request.POST.get("tasks", "").replace(",", " ").replace("#", " ").split()
    numbers = [int(pk) for pk in named if pk.isdecimal() and len(pk) < 19]
    if not named or len(numbers) != len(named):
        messages.error(request, _("Name the tasks by their numbers, for instance: 12 15 20."))
        return False
    people = [pk for pk in request.POST.getlist("user") if pk.isdecimal()]
    users = list(User.objects.filter(memberships__project=project, pk__in=people))
    mine = AnnotationTask.objects.filter(project=project, kind=kind, pk__in=numbers).values_list(
        "pk", flat=True
    )
    try:
        count = services.tasks_invite(project=project, by=request.user, task_ids=list(mine), users=users)
    except services.QueueRefused as error:
        messages.error(request, str(error))
        return False
    if not count:
        messages.error(request, _("None of these is an open task of this queue."))
        return False
    said = ngettext("{n} task is for those named.", "{n} tasks are for those named.", count)
    if not users:
        said = ngettext("{n} task is for everybody again.", "{n} tasks are for everybody again.", count)
    messages.success(request, said.format(n=count))
    return True


_DEEDS = {"reorder": _reorder, "invite": _invite}


@require_POST
@project_page(Role.LEAD)
def gold_make(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    """A gold task from the final word on a task."""
    task = get_object_or_404(AnnotationTask, pk=pk, project=project)
    try:
        gold = services.gold_make(by=request.user, task=task)
    except services.QueueRefused as error:
        messages.error(request, str(error))
        return redirect("task", project.slug, pk)
    messages.success(
        request, _("Gold task {n} asks the same; its answer is the final word.").format(n=gold.pk)
    )
    return redirect("task", project.slug, gold.pk)

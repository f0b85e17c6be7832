"""One task as the lead inspects it: what was asked and said, what it made; and the products to download."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from loop.curate.products import Product
from loop.dialects import dialect_named
from webapp.accounts.http import SignedInRequest
from webapp.annotate import products, reviewing
from webapp.annotate.changes import versions_of
from webapp.annotate.models import Annotation, AnnotationTask
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least


@require_GET
@project_page(Role.ANNOTATOR)
def task(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    """For leads; annotators are shown their own answer to it."""
    if not at_least(project.my_role, Role.LEAD):
        own = Annotation.objects.filter(task=pk, task__project=project, user=request.user).first()
        if own is None:
            raise Http404("There is no such task, or you have not answered it.")
        return redirect("answer_history", project.slug, own.pk)
    try:
        shown = reviewing.task_shown(project, pk)
    except AnnotationTask.DoesNotExist as error:
        raise Http404(f"{project} has no task {pk}.") from error
    made = products.by_source(
        products.products_of(products.critiques_of(shown.task), dialect_named(project.dialect))
    )
    final = made.get(("final", shown.adjudication.pk)) if shown.adjudication else None
    context = {
        "project": project,
        "nav": "tasks",
        "shown": shown,
        "task": shown.task,
        "answers": _answers(shown, made),
        "final": final,
        "final_word": reviewing.said_of(
            shown.task.kind, shown.adjudication.outcome, shown.adjudication.payload
        )
        if shown.adjudication
        else "",
        "flags": shown.task.flags.select_related("author", "resolved_by").order_by("pk"),
        "asked": shown.task.assignments.select_related("user").order_by("pk"),
    }
    return render(request, "annotate/task/task.html", context)


def _answers(shown: reviewing.Shown, made: dict[tuple[str, int], products.MadeOf]) -> list[dict[str, Any]]:
    examples = products.examples_by_answer(v.answer for v in shown.votes)
    return [
        {
            "vote": vote,
            "versions": versions_of(vote.answer) if vote.answer.revision > 1 else [],
            "made": made.get(("answer", vote.answer.pk)),
            "examples": examples.get(vote.answer.pk, []),
            "seconds": sorted((int(i), s) for i, s in vote.answer.step_seconds.items() if i.isdecimal()),
        }
        for vote in shown.votes
    ]


@require_GET
@project_page(Role.LEAD)
def products_download(request: SignedInRequest, project: Project) -> HttpResponseBase:
    """The products of a project's answers as JSON lines; ``product`` narrows to one kind."""
    wanted = request.GET.get("product", "")
    if wanted and wanted not in list(Product):
        raise Http404(_("There is no product {name}; there are: {names}.").format(
            name=wanted, names=", ".join(Product)
        ))  # fmt: skip
    lines = products.product_lines(project, Product(wanted) if wanted else None)
    name = f"{project.slug}-{wanted or 'products'}.jsonl"
    return StreamingHttpResponse(
        _pieces(lines),
        content_type="application/jsonl; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _pieces(lines: Iterator[str]) -> Iterator[str]:
    """The lines some hundreds at a time: each piece is handed to the server on its own. No asynchronous
    iterator: a request has a thread to itself, where Django would read such a one to its end first."""
    while piece := "".join(islice(lines, 500)):
        yield piece

"""Dataset versions: the list, one with its card and rows, two side by side, out as a file."""

from __future__ import annotations

from math import ceil
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from loop.curate.formats import NOTES, format_names
from webapp.accounts.http import SignedInRequest
from webapp.annotate.searching import whole_of
from webapp.curate import versions as reads
from webapp.curate.card import card_of
from webapp.curate.services import freezing
from webapp.curate.services.exporting import DatasetExportError, dataset_lines
from webapp.projects.access import project_page
from webapp.projects.models import Project, Prompt, Role
from webapp.projects.permissions import at_least


@project_page()
@require_GET
def versions(request: SignedInRequest, project: Project) -> HttpResponse:
    rows = list(reads.versions_of(project).prefetch_related("models")[:200])
    context = {
        "project": project,
        "nav": "datasets",
        "rows": rows,
        "may_lead": at_least(project.my_role, Role.LEAD),
    }
    return render(request, "curate/datasets.html", context)


def _page(request: SignedInRequest, count: int) -> dict[str, Any]:
    """Which page of ``count`` rows is asked for, and its neighbours."""
    last = max(1, ceil(count / reads.PER_PAGE))
    page = min(whole_of(request.GET.get("page", ""), 1, 10**6) or 1, last)
    return {
        "page": page,
        "last": last,
        "newer": page - 1 if page > 1 else None,
        "further": page + 1 if page < last else None,
        "start": (page - 1) * reads.PER_PAGE + 1,
        "end": min(page * reads.PER_PAGE, count),
        "count": count,
    }


@project_page()
@require_GET
def version(request: SignedInRequest, project: Project, number: int) -> HttpResponse:
    dataset = reads.version_for(project, number)
    manifest = dataset.manifest
    pages = _page(request, dataset.row_count)
    leaks = manifest.get("leak", {}).get("found", [])
    texts = Prompt.objects.filter(project=project).in_bulk(
        {leak["prompt"] for leak in leaks} | {leak["heldout"] for leak in leaks}
    )
    context = {
        "project": project,
        "nav": "datasets",
        "dataset": dataset,
        "manifest": manifest,
        "stacks": reads.stacks(reads.table_of(manifest)),
        "ages": reads.bars(manifest.get("ages", {})),
        "dropped": {**manifest.get("left_out", {}), **manifest.get("dropped", {})},
        "leak": manifest.get("leak"),
        "leaks": [
            {**leak, "text": texts[leak["prompt"]].text, "near": texts[leak["heldout"]].text}
            for leak in leaks
            if leak["prompt"] in texts and leak["heldout"] in texts
        ],
        "rows": reads.rows_page(dataset, pages["page"]),
        "pages": pages,
        "models": dataset.models.order_by("number"),
        "runs": project.units.filter(kind="train", payload__dataset_id=dataset.pk).order_by("-id")[:20],
        "formats": [(name, NOTES[name]) for name in format_names()],
        "may_lead": at_least(project.my_role, Role.LEAD),
    }
    return render(request, "curate/dataset.html", context)


@project_page()
@require_GET
def card(request: SignedInRequest, project: Project, number: int) -> HttpResponse:
    dataset = reads.version_for(project, number)
    response = HttpResponse(card_of(dataset), content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-dataset-{number}.md"'
    return response


@project_page(Role.LEAD)
@require_GET
def export(request: SignedInRequest, project: Project, number: int) -> HttpResponseBase:
    dataset = reads.version_for(project, number, whole=True)
    name = request.GET.get("format", "rows")
    try:
        freezing.dataset_check(dataset=dataset)
        pieces = dataset_lines(dataset=dataset, name=name)
    except (DatasetExportError, LookupError) as error:
        messages.error(request, f"{error}")
        return redirect("dataset", project.slug, number)
    response = StreamingHttpResponse(pieces, content_type="application/jsonl")
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-dataset-{number}-{name}.jsonl"'
    return response


@project_page()
@require_GET
def diff(request: SignedInRequest, project: Project) -> HttpResponse:
    numbers = list(reads.versions_of(project).values_list("number", flat=True)[:500])
    context: dict[str, Any] = {"project": project, "nav": "datasets", "numbers": numbers}
    if len(numbers) < 2:
        return render(request, "curate/diff.html", context)
    a = whole_of(request.GET.get("a", ""), 1, 10**6) or numbers[1]
    b = whole_of(request.GET.get("b", ""), 1, 10**6) or numbers[0]
    before, after = reads.version_for(project, a), reads.version_for(project, b)
    found = reads.versions_diff(before, after)
    state = request.GET.get("state", "")
    if state not in reads.CHANGES:
        state = next((s for s in reads.CHANGES if found.totals[s]), "kept")
    pages = _page(request, found.totals[state])
    context |= {
        "before": before,
        "after": after,
        "diff": found,
        "state": state,
        "states": [(s, found.totals[s]) for s in reads.CHANGES],
        "rows": reads.diff_page(before, after, state, pages["page"]),
        "pages": pages,
        "same_hash": before.sha256 == after.sha256,
    }
    return render(request, "curate/diff.html", context)

"""The prompts pages: list with filters, one prompt, import by upload."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from loop.prompts.readers import PromptFileError, PromptRow, read_prompts
from webapp.accounts.http import SignedInRequest
from webapp.projects import selectors
from webapp.projects.access import project_page
from webapp.projects.forms import ImportForm
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least
from webapp.projects.services import ImportRefused, ImportReport
from webapp.projects.services import prompts_import as import_rows
from webapp.projects.uploads import upload_find, upload_keep

PER_PAGE = 50
PREVIEWED = 5


@project_page()
@require_GET
def prompts(request: SignedInRequest, project: Project) -> HttpResponse:
    split, text = request.GET.get("split", ""), request.GET.get("q", "").strip()[:200]
    if split not in selectors.SPLITS:
        split = ""
    splits = selectors.split_counts(project)
    found = selectors.prompts_of(project, split=split, text=text)
    kept = urlencode({key: value for key, value in (("split", split), ("q", text)) if value})
    context = {
        "project": project,
        "nav": "prompts",
        "page": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "query": f"{kept}&" if kept else "",
        "split": split,
        "text": text,
        "splits": splits,
        "total": sum(s.n for s in splits),
        "may_lead": at_least(project.my_role, Role.LEAD),
    }
    return render(request, "projects/prompts.html", context)


@project_page()
@require_GET
def prompt(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    found = project.prompts.filter(pk=pk).first()
    if found is None:
        raise Http404(f"{project} has no prompt {pk}.")
    # What the model answered, what is right and how the question was made would bias an annotator whose
    # task hides it, now or in a later iteration: below lead, the page shows the question alone.
    may_lead = at_least(project.my_role, Role.LEAD)
    alike = project.prompts.filter(family=found.family).exclude(pk=pk)[:5]
    responses = (
        found.responses.select_related("model_version", "iteration", "author")
        .defer("token_ids", "logprobs")
        .order_by("-created_at", "id")
    )
    pages = Paginator(responses, 10).get_page(request.GET.get("page")) if may_lead else None
    context = {
        "project": project,
        "nav": "prompts",
        "prompt": found,
        "alike": alike,
        "page": pages,
        "may_lead": may_lead,
    }
    return render(request, "projects/prompt.html", context)


@project_page(Role.LEAD)
def prompts_import(request: SignedInRequest, project: Project) -> HttpResponse:
    """Check a file, show what would happen, then import it: the file is kept in between."""
    form = ImportForm(request.POST or None, request.FILES or None)
    context: dict[str, object] = {"project": project, "nav": "prompts", "form": form}
    if request.method == "POST" and form.is_valid():
        token, found = _upload(project, form)
        if found is None:
            form.add_error("file", "The uploaded file is not here any more; choose it again.")
        else:
            checking = request.POST.get("do") != "import"
            context |= {"kept": token, "kept_name": found[1]}
            try:
                report = _read(project, form, *found, dry_run=checking, request=request)
            except (PromptFileError, ImportRefused) as error:
                context["problem"] = error
            else:
                if not checking:
                    found[0].unlink(missing_ok=True)
                    return _imported(request, project, report)
                context |= {"report": report, "sample": _sample(form, found[0])}
    bad = bool(form.errors) or "problem" in context
    return render(request, "projects/import.html", context, status=422 if bad else 200)


def _upload(project: Project, form: ImportForm) -> tuple[str, tuple[Path, str] | None]:
    upload = form.cleaned_data["file"]
    token = upload_keep(project, upload) if upload else form.cleaned_data["kept"]
    return token, upload_find(project, token)


def _read(
    project: Project, form: ImportForm, path: Path, name: str, *, dry_run: bool, request: SignedInRequest
) -> ImportReport:
    return import_rows(
        project=project,
        rows=read_prompts(path, form.field_map()),
        placement=form.placement(),
        verifier=form.checker(),
        id_field=form.cleaned_data["id_field"],
        dry_run=dry_run,
        source=name,
        by=request.user,
    )


def _sample(form: ImportForm, path: Path) -> list[PromptRow]:
    return list(islice(read_prompts(path, form.field_map()), PREVIEWED))


def _imported(request: SignedInRequest, project: Project, report: ImportReport) -> HttpResponse:
    said = f"{report.imported} of {report.read} prompts imported."
    if report.duplicates:
        said += f" {len(report.duplicates)} were here already."
    if report.elsewhere:
        said += f" {len(report.elsewhere)} were left out: a near-copy lives in another split."
    messages.success(request, said)
    return redirect("prompts", project.slug)

"""Pages of leads: tasks in by upload, the annotation side out by download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_GET

from loop.annotate.formats import exchange_names, training_names
from loop.annotate.formats.trl_stepwise import NEUTRAL
from webapp.accounts.http import SignedInRequest
from webapp.annotate.exchange import IMPORTED_KINDS, file_response
from webapp.annotate.models import TaskKind
from webapp.annotate.services import importing
from webapp.annotate.services.exporting import RAW, ExportRefused
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.uploads import upload_find, upload_keep

NAMED = 20  # unusable lines on the page
_LABELS = [
    ("beside", lazy("Keep them beside the task, unused")),
    ("answers", lazy("Store them as my answers")),
    ("gold", lazy("Make gold tasks: they are the known answers")),
]


class TasksForm(forms.Form):
    """An upload and how to read it. ``kept`` finds a file that was uploaded a moment ago."""

    file = forms.FileField(required=False, label=lazy("File"), help_text=lazy("JSONL: one object per line."))
    kept = forms.CharField(required=False, widget=forms.HiddenInput)
    format = forms.ChoiceField(label=lazy("Format"), initial="plain")
    kind = forms.ChoiceField(
        label=lazy("What is asked"), choices=[(kind, TaskKind(kind).label) for kind in IMPORTED_KINDS]
    )
    labels = forms.ChoiceField(label=lazy("Labels in the file"), choices=_LABELS, initial="beside")
    skip_bad = forms.BooleanField(
        required=False,
        label=lazy("Leave out unusable lines"),
        help_text=lazy("Otherwise one unusable line and nothing is stored."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["format"].choices = [(n, n) for n in exchange_names()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not data.get("file") and not data.get("kept"):
            self.add_error("file", _("Choose a file."))
        return data


@project_page(Role.LEAD)
def tasks_import(request: SignedInRequest, project: Project) -> HttpResponse:
    """Check a file, show what would happen, then import it: the file is kept in between."""
    form = TasksForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {"project": project, "nav": "tasks", "form": form, "named": NAMED}
    if request.method == "POST" and form.is_valid():
        upload = form.cleaned_data["file"]
        token = upload_keep(project, upload) if upload else form.cleaned_data["kept"]
        found = upload_find(project, token)
        if found is None:
            form.add_error("file", _("The uploaded file is not here any more; choose it again."))
        else:
            checking = request.POST.get("do") != "import"
            context |= {"kept": token, "kept_name": found[1]}
            try:
                report = _read(request, project, form.cleaned_data, *found, dry_run=checking)
            except importing.TasksRefused as error:
                context["problem"] = error
            else:
                if not checking:
                    found[0].unlink(missing_ok=True)
                    said = _("{made} of {read} lines became tasks.").format(
                        made=report.imported, read=report.read
                    )
                    messages.success(request, said)
                    return redirect("tasks", project.slug)
                context["report"] = report
    bad = bool(form.errors) or "problem" in context
    return render(request, "annotate/exchange/import.html", context, status=422 if bad else 200)


def _read(
    request: SignedInRequest, project: Project, data: dict[str, Any], path: Path, name: str, *, dry_run: bool
) -> importing.TasksReport:
    with path.open("rb") as stream:
        return importing.tasks_import(
            project=project,
            stream=stream,
            format=data["format"],
            kind=data["kind"],
            answers_by=request.user if data["labels"] == "answers" else None,
            gold=data["labels"] == "gold",
            skip_bad=data["skip_bad"],
            dry_run=dry_run,
            source=name,
            by=request.user,
        )


@project_page(Role.LEAD)
@require_GET
def annotations_export(request: SignedInRequest, project: Project) -> HttpResponse:
    """Which file is wanted."""
    context = {
        "project": project,
        "nav": "tasks",
        "raw": RAW,
        "exchange": exchange_names(),
        "training": training_names(),
        "neutral": list(NEUTRAL),
    }
    return render(request, "annotate/exchange/export.html", context)


@project_page(Role.LEAD)
@require_GET
def download(request: SignedInRequest, project: Project) -> HttpResponseBase:
    """The file, sent as it is read."""
    try:
        return file_response(project, request.GET.get("format", RAW), request.GET.get("neutral", "drop"))
    except ExportRefused as error:
        return HttpResponse(str(error), status=400, content_type="text/plain")

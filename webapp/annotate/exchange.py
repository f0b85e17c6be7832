"""What the commands, pages and routes of import and export share."""

from __future__ import annotations

from django.core.management.base import CommandError
from django.http import StreamingHttpResponse

from webapp.annotate.models import TaskKind
from webapp.annotate.services.exporting import annotations_export
from webapp.annotate.services.importing import TasksReport
from webapp.projects.models import Project

IMPORTED_KINDS = (TaskKind.STEP_CRITIQUE.value, TaskKind.PREFERENCE.value)


def named_project(slug: str) -> Project:
    """The project of a command line.

    Raises:
        CommandError: there is none of that name.
    """
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none yet"
        raise CommandError(f"There is no project called {slug}; there are: {known}.", returncode=2)
    return project


def report_in_words(report: TasksReport, shown: int) -> str:
    """The report as sentences, with the first ``shown`` unusable lines."""
    verb = "Would make" if report.dry_run else "Made"
    said = [f"{verb} {report.imported} tasks of {report.read} lines, over {report.prompts} new prompts."]
    if report.already:
        said.append(f"{report.already} were here already.")
    if report.answers:
        said.append(f"{report.answers} came with labels, now answers.")
    if report.gold:
        said.append(f"{report.gold} are gold.")
    if report.unusable:
        said.append(f"{report.unusable} lines were left out:")
        said += [f"  line {line}: {why}" for line, why in report.bad[:shown]]
        if report.unusable > shown:
            said.append(f"  and {report.unusable - shown} more")
    return "\n".join(said)


def file_response(project: Project, format: str, neutral: str) -> StreamingHttpResponse:  # noqa: A002
    """The export as a download.

    Raises:
        ExportRefused: an unknown format or policy.
    """
    pieces = annotations_export(project=project, format=format, neutral=neutral)
    response = StreamingHttpResponse(pieces, content_type="application/jsonl")
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-{format}.jsonl"'
    return response

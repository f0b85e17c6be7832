"""One figure by address: as a page, as a drawing that stands on its own, and as numbers."""

from __future__ import annotations

import csv
import re
import textwrap
from dataclasses import replace
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from webapp.accounts.http import SignedInRequest
from webapp.metrics.figures import Cell, Figure, figures
from webapp.projects.access import project_page
from webapp.projects.models import Project
from webapp.projects.selectors import project_for

WIDTH, EDGE = 760, 20  # pixels of a drawing on its own
HEADING, HEADING_LETTERS = 24, 78
CAPTION, CAPTION_LETTERS = 18, 116
FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@]")  # what spreadsheets take for the start of a formula


@project_page()
@require_GET
def figure(request: SignedInRequest, project: Project, key: str, kind: str) -> HttpResponse:
    role, build = figures().get(key, (None, None))
    if role is None or build is None or kind not in KINDS:
        raise Http404(f"There is no figure {key}.{kind}.")
    project_for(request.user, project.slug, role)
    built = build(project, request.GET.dict())
    if built is None:
        raise Http404(f"Nothing has been measured yet that {key} could show.")
    return KINDS[kind](request, project, replace(built, query=request.GET.urlencode()))


def _page(request: SignedInRequest, project: Project, figure: Figure) -> HttpResponse:
    context = {"project": project, "nav": "metrics", "figure": figure}
    return render(request, "metrics/figure_alone.html", context)


def _svg(request: SignedInRequest, project: Project, figure: Figure) -> HttpResponse:
    return _file(
        render(request, "metrics/figure.svg", standing(figure), "image/svg+xml"), project, figure, "svg"
    )


def _csv(request: SignedInRequest, project: Project, figure: Figure) -> HttpResponse:
    return _file(table_csv(figure), project, figure, "csv")


KINDS = {"html": _page, "svg": _svg, "csv": _csv}


def _file(response: HttpResponse, project: Project, figure: Figure, kind: str) -> HttpResponse:
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-{figure.key}.{kind}"'
    return response


def standing(figure: Figure) -> dict[str, Any]:
    """What the drawing on its own needs: title and caption broken into lines, and where everything stands."""
    heading = textwrap.wrap(figure.title, HEADING_LETTERS)
    caption = textwrap.wrap(figure.caption, CAPTION_LETTERS)
    top = EDGE + HEADING * len(heading) + 8
    below = top + figure.chart.height + 8
    return {
        "figure": figure,
        "width": WIDTH,
        "inner": WIDTH - 2 * EDGE,
        "height": below + CAPTION * len(caption) + EDGE,
        "top": top,
        "heading": [{"text": t, "y": EDGE + HEADING * i + 14} for i, t in enumerate(heading)],
        "caption": [{"text": t, "y": below + CAPTION * i + 12} for i, t in enumerate(caption)],
    }


def table_csv(figure: Figure) -> HttpResponse:
    """The table twin as a file."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    rows = csv.writer(response)
    rows.writerow([safe(text) for text in figure.head])
    rows.writerows([safe(raw(cell)) for cell in row] for row in figure.rows)
    return response


def raw(cell: Cell) -> Any:
    return cell.text if cell.raw is None else cell.raw


def safe(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula; numbers stay as they are."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value

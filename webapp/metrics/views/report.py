"""The report of an iteration as a file: HTML that may do nothing, or Markdown."""

from __future__ import annotations

from csp.decorators import csp
from django.http import Http404, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_GET

from webapp.accounts.http import SignedInRequest
from webapp.iterations.page import iteration_for
from webapp.iterations.selectors import compared_blindly
from webapp.metrics import report as reports
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least

TYPES = {"html": "text/html", "md": "text/markdown"}


@project_page()
@require_GET
def report(request: SignedInRequest, project: Project, number: int, kind: str) -> HttpResponseBase:
    """Read in the browser (HTML) or kept; ``?download`` keeps it."""
    if kind not in TYPES:
        raise Http404(f"There is no report.{kind}.")
    iteration = iteration_for(project, number)
    told = at_least(project.my_role, Role.LEAD) or not compared_blindly(project)
    made = reports.report_of(iteration, told=told)
    text = reports.html(made) if kind == "html" else reports.markdown(made)
    response = HttpResponse(text, content_type=f"{TYPES[kind]}; charset=utf-8")
    how = "inline" if kind == "html" and "download" not in request.GET else "attachment"
    name = f"{project.slug}-iteration-{number}.{kind}"
    response["Content-Disposition"] = f'{how}; filename="{name}"'
    return _restricted(request, response)


def _restricted(request: SignedInRequest, response: HttpResponse) -> HttpResponseBase:
    """Under the file's own policy instead of the site's: it has a style sheet inside, and nothing else."""
    answer = csp({**reports.policy_of(), "frame-ancestors": ["'none'"]})(lambda _request: response)
    return answer(request)

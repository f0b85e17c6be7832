"""The page that shows a task as a tree of branches."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from webapp.accounts.http import SignedInRequest
from webapp.annotate.models import AnnotationTask
from webapp.annotate.tree import tree_of
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least


@require_GET
@project_page(Role.ANNOTATOR)
def tree(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    """For leads, and for annotators who have answered the task."""
    lead = at_least(project.my_role, Role.LEAD)
    try:
        found = tree_of(request.user, project, pk, lead=lead)
    except AnnotationTask.DoesNotExist as error:
        raise Http404("There is no such task, or you have not answered it yet.") from error
    context = {"project": project, "nav": "tasks", "tree": found, "lead": lead}
    return render(request, "annotate/tree.html", context)

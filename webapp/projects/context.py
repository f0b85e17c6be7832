"""What the page frame needs on every page: the user's projects, and how much waits in a lead's inbox."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least
from webapp.projects.selectors import projects_of

MOST_COUNTED = 100  # the badge says 99+ from there on


def shell(request: HttpRequest) -> dict[str, Any]:
    """Lazy: a fragment without the frame costs no query. What the user may do is ``project.my_role``."""
    project: Project | None = getattr(request, "project", None)
    return {
        "my_projects": SimpleLazyObject(lambda: list(projects_of(request.user).only("slug", "name"))),
        "flags_open": SimpleLazyObject(lambda: _flags_open(project)),
    }


def _flags_open(project: Project | None) -> int:
    """Flags that nobody has resolved, for leads; one look at an index of the open ones."""
    if project is None or not at_least(project.my_role, Role.LEAD):
        return 0
    return project.flags.filter(resolved_at__isnull=True)[:MOST_COUNTED].count()

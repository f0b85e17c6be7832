"""What the page frame needs on every page: the user's projects, for the switcher."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from webapp.projects.selectors import projects_of


def shell(request: HttpRequest) -> dict[str, Any]:
    """Lazy: a fragment without the frame costs no query. What the user may do is ``project.my_role``."""
    return {"my_projects": SimpleLazyObject(lambda: list(projects_of(request.user).only("slug", "name")))}

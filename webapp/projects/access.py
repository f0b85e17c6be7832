"""The decorator of every project page: signed in, a member, and with role enough."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponseBase

from webapp.accounts.http import SignedInRequest
from webapp.projects.models import Role
from webapp.projects.selectors import project_for

View = Callable[..., HttpResponseBase]


def project_page(role: Role = Role.VIEWER) -> Callable[[View], View]:
    """Turn ``view(request, project, …)`` into one that takes the slug from the address.

    Outsiders get 404, members below ``role`` 403 (see `project_for`).
    """

    def decorate(view: View) -> View:
        @login_required
        @wraps(view)
        def guarded(request: SignedInRequest, slug: str, **kwargs: Any) -> HttpResponseBase:
            project = project_for(request.user, slug, role)
            request.project = project
            return view(request, project, **kwargs)

        return guarded

    return decorate

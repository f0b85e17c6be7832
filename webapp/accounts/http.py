"""A request whose user is known to be signed in: what views behind `login_required` get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest

from webapp.accounts.models import User

if TYPE_CHECKING:
    from webapp.projects.models import Project


class SignedInRequest(HttpRequest):
    user: User
    project: Project  # on a project's page

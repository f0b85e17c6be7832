"""Who may do what in a project. Roles are ordered: each may do everything the ones below it may.

`project_for` (selectors) is the check that views and the API use.
"""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser

from webapp.accounts.models import User
from webapp.projects.models import Membership, Project, Role

RANK: dict[str, int] = {Role.VIEWER: 1, Role.ANNOTATOR: 2, Role.LEAD: 3, Role.ADMIN: 4}


def role_of(user: User | AnonymousUser, project: Project) -> Role | None:
    """The role of ``user`` in ``project``; None for outsiders. Superusers are admin everywhere."""
    if not user.is_authenticated:
        return None
    if user.is_superuser:
        return Role.ADMIN
    held = Membership.objects.filter(project=project, user=user).values_list("role", flat=True).first()
    return Role(held) if held else None


def at_least(held: str | None, needed: str) -> bool:
    return held is not None and RANK[held] >= RANK[needed]

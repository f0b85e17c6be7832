"""Who may do what in a project. Roles are ordered: each may do everything the ones below it may.

`project_for` (selectors) is the check that views use; the `rules` permissions say the same to the
API and to Django's `user.has_perm("projects.lead", project)`.
"""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from rules.permissions import add_perm
from rules.predicates import Predicate, predicate

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


def _predicate(needed: Role) -> Predicate:
    def holds(user: User | AnonymousUser, project: Project | None) -> bool:
        return project is not None and at_least(role_of(user, project), needed)

    made: Predicate = predicate(holds, name=f"at least {needed}")
    return made


add_perm("projects.view", _predicate(Role.VIEWER))
add_perm("projects.annotate", _predicate(Role.ANNOTATOR))
add_perm("projects.lead", _predicate(Role.LEAD))
add_perm("projects.administer", _predicate(Role.ADMIN))

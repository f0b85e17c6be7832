"""What projects, people and prompts there are to see. The look-up is the access check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Model, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404

from loop.domains.arithmetic.generate import DOMAIN
from webapp.accounts.models import User
from webapp.projects.models import (
    AuditEvent,
    GuidelineRead,
    GuidelineVersion,
    Membership,
    Project,
    Prompt,
    Role,
)
from webapp.projects.permissions import at_least, role_of

SPLITS = ("train", "heldout", "probe")


def projects_of(user: User | AnonymousUser) -> QuerySet[Project]:
    """Every project ``user`` may see, by name."""
    if not user.is_authenticated:
        return Project.objects.none()
    projects = Project.objects.order_by("name")
    return projects if user.is_superuser else projects.filter(memberships__user=user)


def projects_with_figures(user: User) -> QuerySet[Project]:
    """The same with what the list shows: prompts, people and iterations, the last decision's gain (a share,
    with its interval as JSON) and how many alarms nobody has dealt with; in one query."""

    def count(model: type[Model], **narrowed: Any) -> Coalesce:
        rows = model._default_manager.filter(project=OuterRef("pk"), **narrowed).order_by().values("project")
        return Coalesce(Subquery(rows.annotate(n=Count("*")).values("n")), 0)

    iterations = apps.get_model("iterations", "Iteration")
    decided = iterations._default_manager.filter(
        project=OuterRef("pk"), arm="main", stage="done", decision__has_key="effect"
    ).order_by("-number")
    return (
        projects_of(user)
        .select_related("champion")
        .annotate(
            prompts_n=count(Prompt),
            people_n=count(Membership),
            iterations_n=count(iterations),
            alarms_n=count(apps.get_model("metrics", "Alarm"), seen_at__isnull=True),
            last_effect=Subquery(decided.values("decision__effect")[:1]),
            last_ci95=Subquery(decided.values("decision__ci95")[:1]),
        )
    )


def project_for(user: User, slug: str, role: Role = Role.VIEWER) -> Project:
    """The project called ``slug``, with the user's role as ``project.my_role``.

    Raises:
        Http404: no such project, or the user is not a member (who may not know that it exists).
        PermissionDenied: a member whose role is below ``role``.
    """
    project = Project.objects.select_related("champion").filter(slug=slug).first()
    return _admitted(project, role_of(user, project) if project else None, role)


_LEAN = """
SELECT p.*, m.role AS held FROM projects_project p
LEFT JOIN projects_membership m ON m.project_id = p.id AND m.user_id = %(user)s
WHERE p.slug = %(slug)s
"""


def project_lean(user: User, slug: str, role: Role = Role.VIEWER) -> Project:
    """`project_for` in one statement and without the champion, for routes that are called all the time."""
    project = next(iter(Project.objects.raw(_LEAN, {"user": user.pk, "slug": slug})), None)
    held = Role.ADMIN if user.is_superuser else getattr(project, "held", None)
    return _admitted(project, Role(held) if held else None, role)


def _admitted(project: Project | None, held: Role | None, role: Role) -> Project:
    if project is None or held is None:
        raise Http404("There is no such project, or you are not a member of it.")
    if not at_least(held, role):
        raise PermissionDenied(
            f"This needs the role {role.label.lower()} in {project.name}; yours is {held.label.lower()}."
        )
    project.my_role = held
    return project


def members_of(project: Project) -> QuerySet[Membership]:
    return Membership.objects.filter(project=project).select_related("user").order_by("user__username")


def guidelines_now(project_id: int) -> GuidelineVersion | None:
    """The newest guideline version, None when nothing was written yet."""
    return GuidelineVersion.objects.filter(project_id=project_id).order_by("-number").first()


def guidelines_of(project: Project) -> QuerySet[GuidelineVersion]:
    """All versions, newest first, with ``reads_n``: how many people have read each."""
    versions = GuidelineVersion.objects.filter(project=project).select_related("created_by")
    return versions.annotate(reads_n=Count("reads")).order_by("-number")


def guidelines_read_by(version: GuidelineVersion, user: User) -> bool:
    return GuidelineRead.objects.filter(version=version, user=user).exists()


def guidelines_readers(version: GuidelineVersion) -> QuerySet[GuidelineRead]:
    return GuidelineRead.objects.filter(version=version).select_related("user").order_by("-at")


def guidelines_unread(version: GuidelineVersion) -> QuerySet[Membership]:
    """People (no programs) who may annotate and have not read it yet."""
    asked = members_of(version.project).exclude(role=Role.VIEWER).exclude(user__is_simulated=True)
    return asked.exclude(user__in=GuidelineRead.objects.filter(version=version).values("user"))


def prompts_of(project: Project, *, split: str = "", text: str = "") -> QuerySet[Prompt]:
    """Prompts in the order they came, narrowed by split and by a piece of their text or id."""
    prompts = Prompt.objects.filter(project=project).order_by("id")
    if split:
        prompts = prompts.filter(split=split)
    if text:
        prompts = prompts.filter(Q(text__icontains=text) | Q(external_id=text))
    return prompts


def built_in(path: str = "") -> Q:
    """Prompts of the built-in domain, whose program knows every answer; ``path`` leads to the prompt.

    By containment, not a key look-up: excluding those must leave prompts without a domain, too.
    """
    return Q(**{f"{path}meta__contains": {"domain": DOMAIN}})


@dataclass(frozen=True)
class SplitCount:
    split: str
    n: int
    families: int
    with_reference: int


def split_counts(project: Project) -> list[SplitCount]:
    """Prompts and families per split, all three splits always, in one query."""
    rows = Prompt.objects.filter(project=project).values("split")
    found = {
        row["split"]: SplitCount(**row)
        for row in rows.annotate(
            n=Count("id"),
            families=Count("family", distinct=True),
            with_reference=Count("id", filter=Q(reference__isnull=False) & ~Q(reference="")),
        )
    }
    return [found.get(split, SplitCount(split, 0, 0, 0)) for split in SPLITS]


def split_sizes(project: Project) -> dict[str, int]:
    """How many prompts each split has, all three always: one look at an index."""
    rows = Prompt.objects.filter(project=project).order_by().values_list("split")
    found = dict(rows.annotate(n=Count("*")))
    return {split: found.get(split, 0) for split in SPLITS}


def audit_of(project: Project, limit: int = 20) -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(project=project).select_related("actor").order_by("-at")[:limit]

"""Making a project and saying who may do what in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max

from loop.dialects import dialect_named
from webapp.accounts.models import User
from webapp.projects.models import AuditEvent, GuidelineRead, GuidelineVersion, Membership, Project, Role


class ProjectError(Exception):
    """A change of a project or of its members that must not happen; the message says why."""


def audit_record(
    *,
    project: Project | None,
    actor: User | None,
    verb: str,
    target: str = "",
    data: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Keep who did what. Call it in the transaction of the deed, so that neither exists without the other."""
    return AuditEvent.objects.create(
        project=project, actor=actor, verb=verb, target=target[:200], data=dict(data or {})
    )


@transaction.atomic
def project_create(
    *,
    name: str,
    slug: str,
    base: str,
    dialect: str = "chat",
    description: str = "",
    created_by: User | None = None,
) -> Project:
    """A new, empty project; whoever creates it becomes its administrator.

    ``base`` is a Hugging Face folder or hub id, or openai+http://… of a server.

    Raises:
        ProjectError: a field cannot be used, or the slug is taken.
    """
    try:
        dialect_named(dialect)
    except LookupError as error:
        raise ProjectError(str(error)) from error
    project = Project(
        name=name, slug=slug, base=base, dialect=dialect, description=description, created_by=created_by
    )
    try:
        project.full_clean(exclude=["champion", "created_by"])
    except ValidationError as error:
        raise ProjectError(
            "; ".join(f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items())
        ) from error
    project.save()
    if created_by is not None:
        Membership.objects.create(project=project, user=created_by, role=Role.ADMIN)
    audit_record(project=project, actor=created_by, verb="project created", target=slug, data={"base": base})
    return project


def _refuse_to_lose_last_admin(project: Project, user: User) -> None:
    admins = Membership.objects.select_for_update().filter(project=project, role=Role.ADMIN)
    if {m.user_id for m in admins} == {user.pk}:
        raise ProjectError(f"{user} is the only administrator of {project}; name another one first")


@transaction.atomic
def member_set(*, project: Project, user: User, role: str, by: User | None = None) -> Membership:
    """Give ``user`` this role in the project, as a new member or in place of the role held.

    Raises:
        ProjectError: it would leave the project without an administrator.
    """
    role = Role(role)
    held = Membership.objects.filter(project=project, user=user).first()
    if held is not None and held.role == role:
        return held
    if held is not None and held.role == Role.ADMIN:
        _refuse_to_lose_last_admin(project, user)
    member, _ = Membership.objects.update_or_create(project=project, user=user, defaults={"role": role})
    audit_record(
        project=project,
        actor=by,
        verb="role set",
        target=user.username,
        data={"role": role.value, "before": held.role if held else None},
    )
    return member


@transaction.atomic
def member_add(
    *, project: Project, username: str, role: str, password: str = "", by: User | None = None
) -> tuple[Membership, bool]:
    """Add a person by user name; with ``password``, a person without an account yet gets one.

    Returns:
        The membership, and whether the account is new.

    Raises:
        ProjectError: no such account and no password, an account there is already, or a weak password.
    """
    user = User.objects.filter(username=username).first()
    made = user is None
    if user is None:
        if not password:
            raise ProjectError(f"there is no account called {username}; give a first password to make one")
        user = User(username=username)
        try:
            user.full_clean(exclude=["password"])
            validate_password(password, user)
        except ValidationError as error:
            raise ProjectError(" ".join(error.messages)) from error
        user.set_password(password)
        try:
            with transaction.atomic():
                user.save()
        except IntegrityError as error:
            raise ProjectError(f"an account called {username} was just made by someone else") from error
        audit_record(project=project, actor=by, verb="account made", target=username)
    elif password:
        raise ProjectError(f"{username} has an account already; leave the password empty to add it")
    return member_set(project=project, user=user, role=role, by=by), made


@transaction.atomic
def member_remove(*, project: Project, user: User, by: User | None = None) -> None:
    """Take a person out of the project. Their annotations stay.

    Raises:
        ProjectError: not a member, or its only administrator.
    """
    held = Membership.objects.filter(project=project, user=user).first()
    if held is None:
        raise ProjectError(f"{user} is not a member of {project}")
    if held.role == Role.ADMIN:
        _refuse_to_lose_last_admin(project, user)
    held.delete()
    audit_record(project=project, actor=by, verb="member removed", target=user.username)


Example = Mapping[str, Any]  # text, mark (-1, 0, 1 or None), why


@transaction.atomic
def guidelines_add(
    *, project: Project, text: str, examples: Sequence[Example] = (), by: User | None = None
) -> GuidelineVersion:
    """Write the next version of the guidelines. Earlier versions stay as they were.

    Raises:
        ProjectError: the text or an example's text is empty, or an example's mark is none.
    """
    if not text.strip():
        raise ProjectError("guidelines need some text")
    clean = [_example(number, example) for number, example in enumerate(examples, 1)]
    # One writer at a time: numbers have no gap.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    newest = GuidelineVersion.objects.filter(project=project).aggregate(n=Max("number"))["n"] or 0
    version = GuidelineVersion.objects.create(
        project=project, number=newest + 1, text=text, examples=clean, created_by=by
    )
    audit_record(project=project, actor=by, verb="guidelines written", target=f"version {version.number}")
    return version


def _example(number: int, example: Example) -> dict[str, Any]:
    text, why = str(example.get("text", "")).strip(), str(example.get("why", "")).strip()
    mark = example.get("mark")
    if not text:
        raise ProjectError(f"example {number} has no step to look at")
    if mark not in (-1, 0, 1, None):
        raise ProjectError(f"example {number} has the mark {mark!r}; there are -1, 0, 1 and none")
    return {"text": text, "mark": mark, "why": why}


def guidelines_read(*, user: User, version: GuidelineVersion) -> None:
    """Keep that the person has read this version. A repeat changes nothing."""
    GuidelineRead.objects.bulk_create([GuidelineRead(user=user, version=version)], ignore_conflicts=True)

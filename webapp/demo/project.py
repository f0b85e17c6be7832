"""The built-in project: generated word problems, the seed model, an administrator and their login."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import transaction

from loop.domains.arithmetic.generate import project_prompts
from webapp.accounts.models import User
from webapp.projects.models import Project
from webapp.projects.services import guidelines_add, project_create, prompts_add
from webapp.registry.services import base_register

SLUG = "demo"
ADMIN = "demo"
GUIDELINES = """\
Read the question, then each step. Mark a step **good** when it is right and brings the answer closer,
**neutral** when it is true but adds nothing, and **wrong** when anything in it is false.

At the first wrong step press `b`: what follows is left unjudged. If you can, correct that one step.
The overall verdict is *right* only when the final answer is right.
"""


@transaction.atomic
def project_ensure(seed: int | None = None) -> tuple[Project, bool]:
    """The demo project with its prompts, and whether it was made now. A repeat changes nothing."""
    project = Project.objects.filter(slug=SLUG).first()
    if project is not None:
        return project, False
    admin = _administrator()
    project = project_create(
        name="Word problems",
        slug=SLUG,
        base="seed",
        dialect="terse",
        description="Generated arithmetic word problems, answered by the small seed model.",
        created_by=admin,
    )
    prompts_add(
        project=project, records=project_prompts() if seed is None else project_prompts(seed=seed), by=admin
    )
    guidelines_add(project=project, text=GUIDELINES, by=admin)
    base_register(project=project)
    project.refresh_from_db()
    return project, True


def _administrator() -> User:
    """The first account. Its password is drawn once and kept under var/, for the owner to read."""
    user = User.objects.filter(username=ADMIN).first()
    if user is not None:
        return user
    password = secrets.token_urlsafe(9)
    user = User.objects.create_superuser(username=ADMIN, password=password)
    folder = settings.VAR_DIR / "run"
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "login.txt"
    note.write_text(f"Sign in as {ADMIN} with the password {password} (kept in {note}).\n", encoding="utf-8")
    note.chmod(0o600)
    return user

"""The built-in project: generated word problems, the seed model, an administrator and their login."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import transaction

from loop.domains.arithmetic.generate import project_prompts
from webapp.accounts.models import User
from webapp.annotate.models import TaskKind
from webapp.annotate.services.queues import queue_set
from webapp.projects.models import Project
from webapp.projects.services import guidelines_add, project_create, prompts_add
from webapp.registry.services import base_register

SLUG = "demo"
ADMIN = "demo"
GUIDELINES = """\
Read the question, then each step. Mark it

- **good** when it is right and brings the answer closer,
- **neutral** when it is true but adds nothing,
- **wrong** when anything in it is false,
- **unsure** when you cannot judge it.

At the first wrong step press `b`: what follows is left unjudged. If you can, correct that one step.

The overall verdict is *right* only when the final answer is right.
"""
EXAMPLES = [
    {"text": "2 boxes of 6 pens : 2 * 6 = 12", "mark": 1, "why": "True, and the next step needs it."},
    {"text": "There are pens in the boxes.", "mark": 0, "why": "True, but no step towards the answer."},
    {"text": "12 pens and 3 more : 12 + 3 = 16", "mark": -1, "why": "12 + 3 is 15."},
]
ERROR_KINDS = ["wrong sum", "wrong numbers", "misread question", "step left out", "wrong answer line"]
CRITERIA = [
    {"key": "clear", "label": "Clear", "kind": "rating", "help": "1: hard to follow, 5: plain."},
    {"key": "complete", "label": "Complete", "kind": "yesno", "help": "No step is left out."},
]


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
    guidelines_add(project=project, text=GUIDELINES, examples=EXAMPLES, by=admin)
    queue_set(project=project, kind=TaskKind.STEP_CRITIQUE, by=admin, error_kinds=ERROR_KINDS)
    queue_set(project=project, kind=TaskKind.PREFERENCE, by=admin, criteria=CRITERIA)
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

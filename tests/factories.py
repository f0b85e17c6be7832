"""Small functions that make rows for tests: sensible defaults, everything overridable, unique names."""

import uuid
from typing import Any

from loop.stages import Stage, Status
from tests import luck
from webapp.accounts.models import User
from webapp.annotate.models import AnnotationTask
from webapp.annotate.services import tasks_create
from webapp.iterations.models import Iteration
from webapp.projects.models import GuidelineVersion, Membership, Project, Prompt, PromptFamily, Role
from webapp.traces.models import Critique, Response


def user_make(**values: Any) -> User:
    name = values.pop("username", f"person-{luck.number()}")
    return User.objects.create_user(name, password=values.pop("password", "correct horse"), **values)


def project_make(**values: Any) -> Project:
    n = luck.number()
    return Project.objects.create(
        **{"slug": f"project-{n}", "name": f"Project {n}", "base": "seed", **values}
    )


def member_make(project: Project, role: str = Role.ANNOTATOR, **values: Any) -> User:
    """A new user with a role in the project."""
    user = user_make(**values)
    Membership.objects.create(project=project, user=user, role=role)
    return user


def guidelines_make(project: Project, text: str = "Find the first wrong step.") -> GuidelineVersion:
    number = GuidelineVersion.objects.filter(project=project).count() + 1
    return GuidelineVersion.objects.create(project=project, number=number, text=text)


def prompt_make(project: Project, text: str = "", split: str = "train", **values: Any) -> Prompt:
    n = luck.number()
    text = text or f"Mia has {n} apples and buys 2 more. How many?"
    family = values.pop("family", f"family-{n}")
    PromptFamily.objects.get_or_create(project=project, family=family, split=split)
    defaults = {
        "messages": [{"role": "user", "content": text}],
        "text": text,
        "reference": "4",
        "verifier": "number",
        "content_sha": uuid.uuid4().hex,
    }
    return Prompt.objects.create(project=project, split=split, family=family, **{**defaults, **values})


def iteration_make(project: Project, **values: Any) -> Iteration:
    """An iteration that waits for people, unless told otherwise."""
    defaults = {
        "number": Iteration.objects.filter(project=project).count() + 1,
        "recipe_name": "self",
        "recipe": {},
        "stage": Stage.ANNOTATE.value,
        "status": Status.WAITING.value,
    }
    return Iteration.objects.create(project=project, **{**defaults, **values})


def response_make(prompt: Prompt, *steps: str, **values: Any) -> Response:
    """A response whose text is its steps, one per line, with character spans."""
    lines = steps or ("2 + 2 = 4", "4 + 1 = 6", "Answer: 6")
    values = {"origin": "sample", "text": "\n".join(lines), "answer": "6", **values}
    spans, at = [], 0
    for line in lines:
        spans.append([at, at + len(line), None, None])
        at += len(line) + 1
    return Response.objects.create(prompt=prompt, step_spans=spans, **values)


def model_critique_make(response: Response, **values: Any) -> Critique:
    defaults = {
        "marks": [1, -1, None],
        "first_error": 1,
        "verdict": "wrong",
        "comments": {"1": "Check the sum."},
    }
    return Critique.objects.create(response=response, author_kind="model", **{**defaults, **values})


def task_make(iteration: Iteration, *steps: str, priority: float = 0.0, **policy: Any) -> AnnotationTask:
    """A step critique task with a prompt and response of its own."""
    prompt = prompt_make(iteration.project)
    response = response_make(prompt, *steps, iteration=iteration)
    items = [(prompt.pk, response.pk, priority)]
    tasks_create(iteration=iteration, kind="step_critique", items=items, **policy)
    return AnnotationTask.objects.get(response=response)


def preference_task_make(iteration: Iteration, *answers: str, **policy: Any) -> AnnotationTask:
    """A preference task over one-line responses."""
    prompt = prompt_make(iteration.project)
    ids = [response_make(prompt, a, iteration=iteration).pk for a in (answers or ("Answer: 4", "Answer: 5"))]
    tasks_create(iteration=iteration, kind="preference", items=[(prompt.pk, ids, 0.0)], **policy)
    return AnnotationTask.objects.get(response_ids=ids)


def review_task_make(iteration: Iteration, *critiques: dict[str, Any], **policy: Any) -> AnnotationTask:
    """A critique review of a three-step response: one critique, or two to compare."""
    prompt = prompt_make(iteration.project)
    response = response_make(prompt, iteration=iteration)
    made = [model_critique_make(response, **values) for values in (critiques or ({},))]
    items = [(prompt.pk, (response.pk, [c.pk for c in made]), policy.pop("priority", 0.0))]
    tasks_create(iteration=iteration, kind="critique_review", items=items, **policy)
    return AnnotationTask.objects.get(critique_ids=[c.pk for c in made])

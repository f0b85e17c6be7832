"""Programs that answer in people's place: for the demo, the tests and the benchmark, never silently.

They claim and submit through the same services as people, under accounts marked ``is_simulated``.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.db import transaction

from loop.dialects import ReadCritique
from loop.domains.arithmetic.annotator import (
    annotate_preference,
    annotate_steps,
    prefer_critique,
    review_critique,
)
from loop.domains.arithmetic.generate import DOMAIN
from webapp.accounts.models import User
from webapp.annotate.errors import SimulationError
from webapp.annotate.models import Annotation, AnnotationTask, Assignment, TaskKind, TaskState
from webapp.annotate.services import annotation_submit, assignment_claim
from webapp.projects.models import Membership, Project, Role
from webapp.projects.selectors import built_in
from webapp.traces.models import Critique, Response

if TYPE_CHECKING:
    from webapp.iterations.models import Iteration

_KEYS = uuid.UUID("6f1f0f0e-52a0-4e0e-9b63-5b8d3f0f7a11")  # namespace of the submit keys


def annotators_simulate(
    *,
    iteration: Iteration,
    error_rate: float = 0.05,
    people: int = 2,
    seed: int = 0,
    on_answer: Callable[[object], None] = lambda _annotation: None,
) -> int:
    """Let ``people`` simulated annotators answer every open task of the iteration; returns how many answers.

    The same seed always gives the same answers, whoever claims what. Tasks that want more different people
    than there are stay open. ``on_answer`` is called after every answer and may end the work by raising.

    Raises:
        SimulationError: no such number of people or error rate, or a task whose prompt no program can judge.
    """
    if not 1 <= people <= 20:
        raise SimulationError(f"there can be 1 to 20 simulated annotators, not {people}")
    if not 0 <= error_rate <= 1:
        raise SimulationError(f"the error rate must lie within 0 and 1, not {error_rate}")
    open_tasks = AnnotationTask.objects.filter(iteration=iteration, state=TaskState.OPEN)
    foreign = open_tasks.exclude(built_in("prompt__")).order_by("id").first()
    if foreign is not None:
        raise SimulationError(
            f"prompt {foreign.prompt_id} is not of the built-in {DOMAIN} domain, so no program knows its "
            "answer: only people can annotate this iteration"
        )
    annotators = [annotator_account(iteration.project, number) for number in range(1, people + 1)]
    answers = 0
    while annotators:  # in turns, so that each gets a fair share
        for user in list(annotators):
            claim = assignment_claim(user=user, project=iteration.project, iteration=iteration)
            if claim is None:
                annotators.remove(user)
                continue
            on_answer(_answer(claim, user, error_rate=error_rate, seed=seed))
            answers += 1
    return answers


@transaction.atomic
def annotator_account(project: Project, number: int) -> User:
    """The simulated annotator of this number, with leave to annotate; it cannot sign in by itself.

    Raises:
        SimulationError: a person has that account.
    """
    user, _ = User.objects.get_or_create(
        username=f"simulated-annotator-{number}",
        defaults={"first_name": "Simulated annotator", "last_name": str(number), "is_simulated": True},
    )
    if not user.is_simulated:  # a person took the name: never answer for them
        raise SimulationError(f"the account {user.username} belongs to a person; rename it first")
    if not user.password:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    Membership.objects.get_or_create(project=project, user=user, defaults={"role": Role.ANNOTATOR})
    return user


def _answer(claim: Assignment, user: User, *, error_rate: float, seed: int) -> Annotation:
    task = claim.task
    own = answer_seed(seed, task)
    answer = {
        TaskKind.STEP_CRITIQUE: _steps,
        TaskKind.PREFERENCE: _preference,
        TaskKind.CRITIQUE_REVIEW: _review,
    }[TaskKind(task.kind)]
    return annotation_submit(
        user=user,
        assignment_token=claim.token,
        submit_key=uuid.uuid5(_KEYS, f"{task.pk}/{user.pk}"),
        payload=answer(task, error_rate, own),
    )


def answer_seed(seed: int, task: AnnotationTask) -> int:
    """By the task and how many answers it has: two answers to one task err independently, and who
    happens to claim it (after a restart, say) changes nothing."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{task.answers}".encode()).digest()[:8], "big")


def _steps(task: AnnotationTask, error_rate: float, seed: int) -> dict[str, Any]:
    assert task.response is not None
    return critique_payload(
        annotate_steps(task.prompt.record(), task.response.record(), error_rate=error_rate, seed=seed)
    )


def critique_payload(read: ReadCritique) -> dict[str, Any]:
    """A program's critique as the answer that a person's page would send."""
    return {
        "marks": [None if mark is None else int(mark) for mark in read.marks],
        "first_error": read.first_error,
        "comments": dict(read.comments),
        "corrections": dict(read.corrections),
        "verdict": read.verdict.value,
    }


def _preference(task: AnnotationTask, error_rate: float, seed: int) -> dict[str, Any]:
    rows = {r.pk: r for r in Response.objects.filter(pk__in=task.response_ids)}
    records = [rows[pk].record() for pk in task.response_ids]
    winner = annotate_preference(task.prompt.record(), records, error_rate=error_rate, seed=seed)
    return {"winner": winner}


def _review(task: AnnotationTask, error_rate: float, seed: int) -> dict[str, Any]:
    """One critique is accepted where it is true, else put right; of two the truer is preferred."""
    assert task.response is not None
    rows = Critique.objects.in_bulk(task.critique_ids)
    critiques = [rows[pk].record() for pk in task.critique_ids]
    prompt, response = task.prompt.record(), task.response.record()
    if len(critiques) == 2:
        winner, all_bad = prefer_critique(prompt, response, critiques, error_rate=error_rate, seed=seed)
        return {"decision": "prefer", "winner": winner, "all_bad": all_bad}
    better = review_critique(prompt, response, critiques[0], error_rate=error_rate, seed=seed)
    return {"decision": "edit", "edited": critique_payload(better)} if better else {"decision": "accept"}

"""Whole situations for page tests: a project with a past, built from the small factories."""

from dataclasses import dataclass
from itertools import pairwise

from django.db import transaction

from loop.records import Split
from tests import factories as make
from webapp.accounts.models import User
from webapp.iterations.models import Iteration, RunPoint, Transition, WorkUnit
from webapp.projects.models import Project, Prompt, Role
from webapp.registry.models import ModelVersion
from webapp.registry.services import (
    base_register,
    challenger_hold,
    champion_promote,
    evaluation_finish_if_complete,
    evaluation_for,
    model_register,
    outcomes_store,
)

RECIPE = {"name": "rest-em", "version": 1}
MOVES = ["prepare", "generate", "annotate", "curate", "finetune", "evaluate", "promote", "done"]


def decision(before: float, after: float, promote: bool, **values: object) -> dict[str, object]:
    return {
        "promote": promote,
        "effect": after - before,
        "ci95": [after - before - 0.03, after - before + 0.03],
        "p_value": 0.0004 if promote else 0.41,
        "n": 12,
        "before": before,
        "after": after,
        "turned_right": 6,
        "turned_wrong": 2,
        "left_out": 0,
        "reasons": ["the guards hold"] if promote else ["the gain could be chance"],
        "guards": {"probe accuracy": {"before": 0.5, "after": 0.55}},
        **values,
    }


@dataclass
class Past:
    """A promoted iteration, its control arm, and one that waits for people."""

    project: Project
    lead: User
    heldout: list[Prompt]
    base: ModelVersion
    better: ModelVersion
    done: Iteration
    control: Iteration
    waiting: Iteration


def measured(version: ModelVersion, prompts: list[Prompt], right: list[bool]) -> None:
    """Evaluate ``version``: prompt i comes out as ``right[i]``, with a response kept."""
    evaluation = evaluation_for(version=version, split="heldout", sha="fixed", sampling={}, size=len(prompts))
    rows = []
    for prompt, ok in zip(prompts, right, strict=True):
        verdict = "right" if ok else "wrong"
        answer = f"Answer: {prompt.reference if ok else 'nonsense'}"
        response = make.response_make(prompt, "2 + 2 = 4", answer, model_version=version, verdict=verdict)
        rows.append((prompt.pk, verdict, str(response.pk)))
    outcomes_store(evaluation=evaluation, outcomes=rows)
    with transaction.atomic():
        assert evaluation_finish_if_complete(evaluation=evaluation)


def finished(project: Project, version: ModelVersion, **values: object) -> Iteration:
    iteration = make.iteration_make(
        project,
        **{
            "recipe_name": "rest-em",
            "recipe": RECIPE,
            "stage": "done",
            "status": "done",
            "champion": project.champion,
            "challenger": version,
            "counts": {
                "prompts": 100,
                "sampled": 800,
                "verified": 400,
                "accepted": {"sample": 180, "trajectory": 20},
                "dropped": {"wrong by the checker": 400, "repeat of another": 200},
                "trained": 200,
            },
            **values,
        },
    )
    for left, entered in pairwise(MOVES):
        Transition.objects.create(
            iteration=iteration, from_stage=left, to_stage=entered, because="it was due"
        )
    return iteration


def trained(project: Project, iteration: Iteration, losses: list[float]) -> WorkUnit:
    unit = WorkUnit.objects.create(
        project=project, iteration=iteration, stage="finetune", kind="train", queue="train", state="done",
        done=len(losses), total=len(losses),
    )  # fmt: skip
    points = [
        RunPoint(unit=unit, step=i, total_steps=len(losses), loss=loss) for i, loss in enumerate(losses, 1)
    ]
    RunPoint.objects.bulk_create(points)
    return unit


def past_make(tasks: int = 3) -> Past:
    """12 held-out prompts: the base had the first 4 right, v2 has the first 2 and the next 6."""
    project = make.project_make(name="Word problems", description="Small stories with numbers.")
    lead = make.member_make(project, role=Role.LEAD)
    make.guidelines_make(project, "Mark the **first** wrong step.")
    for split in Split:
        for n in range(12):
            text = f"{split.value} story {n}: how many apples?"
            make.prompt_make(project, text, split=split.value, meta={"domain": "arithmetic"})
    heldout = list(project.prompts.filter(split="heldout").order_by("id"))
    base = base_register(project=project)
    project.refresh_from_db()
    measured(base, heldout, [i < 4 for i in range(12)])
    better = model_register(
        project=project, parent=base, adapter_path="a", recipe="rest-em v1", status="challenger"
    )
    measured(better, heldout, [i < 2 or 4 <= i < 10 for i in range(12)])
    done = finished(project, better, champion=base, decision=decision(4 / 12, 8 / 12, True))
    ModelVersion.objects.filter(pk=better.pk).update(iteration=done)
    trained(project, done, [1.5, 1.0, 0.7, 0.5])
    champion_promote(project=project, version=better, reasons=["the guards hold"], iteration_id=done.pk)
    shuffled = model_register(
        project=project, parent=base, adapter_path="b", status="control", iteration_id=done.pk
    )
    control = finished(
        project,
        shuffled,
        arm="shuffled",
        control_of=done,
        champion=base,
        decision=decision(4 / 12, 4 / 12, False),
    )
    held = model_register(
        project=project, parent=base, adapter_path="c", recipe="self v1", status="challenger"
    )
    measured(held, heldout, [i < 5 for i in range(12)])
    challenger_hold(version=held, reasons=["the gain could be chance"], evidence={}, iteration_id=None)
    project.refresh_from_db()
    waiting = make.iteration_make(project, recipe_name="rest-em", recipe=RECIPE, champion=better)
    for _ in range(tasks):
        make.task_make(waiting)
    Prompt.objects.filter(project=project, split="train").update(meta={"domain": "arithmetic"})
    return Past(project, lead, heldout, base, better, done, control, waiting)

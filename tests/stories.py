"""Whole situations for page tests: a project with a past, built from the small factories."""

from dataclasses import dataclass
from itertools import pairwise

from django.db import transaction

from loop.records import Split
from tests import factories as make
from webapp.accounts.models import User
from webapp.iterations.models import Iteration, RunPoint, Transition, WorkUnit
from webapp.metrics.models import Alarm, MetricValue, PromptFigures
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


# Of a project's iterations 1 to 6; 3 is the control of 2, 4 lost its diversity. (value, half the interval)
MEASURED: dict[str, tuple[str, list[float | None], float | None]] = {
    "samples_right": ("share", [0.40, 0.47, 0.41, 0.46, 0.52, 0.58], 0.03),
    "pass_at_1": ("share", [0.40, 0.47, 0.41, 0.46, 0.52, 0.58], 0.03),
    "pass_at_k": ("share", [0.62, 0.68, 0.62, 0.50, 0.71, 0.76], 0.04),
    "maj_at_k": ("share", [0.48, 0.55, 0.49, 0.47, 0.60, 0.66], 0.04),
    "best_of_n:logprob": ("share", [0.45, 0.52, 0.46, 0.46, 0.57, 0.62], 0.04),
    "best_of_n:self_verdict": ("share", [None, 0.50, None, 0.46, 0.55, 0.60], 0.04),
    "pass_gain": ("points", [0.22, 0.21, 0.21, 0.04, 0.19, 0.18], 0.03),
    "distinct_2": ("ratio", [0.71, 0.69, 0.70, 0.22, 0.66, 0.65], 0.02),
    "answer_entropy": ("bits", [1.42, 1.31, 1.40, 0.28, 1.22, 1.15], 0.08),
    "sample_tokens": ("tokens", [142.0, 150.0, 143.0, 96.0, 151.0, 149.0], 4.0),
    "ece:logprob": ("score", [0.18, 0.15, 0.18, 0.36, 0.12, 0.10], 0.02),
    "kept_rate": ("share", [0.30, 0.34, 0.30, 1.0, 0.37, 0.41], 0.02),
    "kept_right": ("share", [0.97, 0.98, 0.50, 0.46, 0.98, 0.98], 0.01),
    "critic_agrees_with_checker": ("share", [0.70, 0.74, 0.71, 0.73, 0.79, 0.83], 0.03),
    "people_agree_with_checker": ("share", [0.95, 0.96, None, 0.95, 0.96, 0.97], 0.02),
    "heldout_before": ("share", [0.33, 0.40, 0.40, 0.47, 0.47, 0.55], 0.03),
    "heldout_after": ("share", [0.40, 0.47, 0.39, 0.38, 0.55, 0.61], 0.03),
    "heldout_gain": ("points", [0.07, 0.07, -0.01, -0.09, 0.08, 0.06], 0.03),
    "tokens_generated": ("tokens", [81200.0, 86100.0, 82000.0, 60300.0, 88200.0, 87400.0], None),
    "machine_seconds": ("s", [812.0, 840.0, 815.0, 640.0, 851.0, 846.0], None),
}
DETAILS: dict[str, dict[str, object]] = {
    "pass_at_k": {
        "k": 8,
        "curve": [[1, 0.58, 0.55, 0.61], [2, 0.66, 0.62, 0.70], [4, 0.72, 0.68, 0.76], [8, 0.76, 0.72, 0.8]],
    },
    "ece:logprob": {
        "reliability": [
            {"low": 0.2, "high": 0.4, "n": 60, "confidence": 0.31, "accuracy": 0.22},
            {"low": 0.6, "high": 0.8, "n": 240, "confidence": 0.71, "accuracy": 0.61},
            {"low": 0.8, "high": 1.0, "n": 500, "confidence": 0.92, "accuracy": 0.84},
        ],
        "risk_coverage": [[0.25, 0.05], [0.5, 0.12], [0.75, 0.24], [1.0, 0.42]],
    },
}


@dataclass
class MeasuredPast:
    """Six measured iterations: 3 is the control of 2, 4 has a bad alarm, 6 is the newest."""

    project: Project
    lead: User
    iterations: list[Iteration]
    train: list[Prompt]
    alarm: Alarm


def measured_past(prompts: int = 12) -> MeasuredPast:
    """`MEASURED` as rows, each prompt's figures, and an alarm; models of 1, 2, 5 and 6 became champion."""
    project = make.project_make(name="Word problems")
    lead = make.member_make(project, role=Role.LEAD)
    train = [make.prompt_make(project, f"train story {n}: how many pears?") for n in range(prompts)]
    base = base_register(project=project)
    project.refresh_from_db()
    iterations: list[Iteration] = []
    for i in range(6):
        recipe = "self" if i == 3 else "rest-em"
        control, promote = i == 2, i not in (2, 3)
        gain, heldout = MEASURED["heldout_gain"][1][i] or 0.0, MEASURED["heldout_before"][1][i] or 0.0
        model = model_register(
            project=project,
            parent=base,
            adapter_path=f"adapter-{i}",
            recipe=f"{recipe} v1",
            status="control" if control else "challenger",
        )
        done = finished(
            project,
            model,
            champion=base,
            recipe_name=recipe,
            recipe={"name": recipe, "version": 1},
            arm="shuffled" if control else "main",
            control_of=iterations[1] if control else None,
            decision=decision(heldout, heldout + gain, promote),
        )
        ModelVersion.objects.filter(pk=model.pk).update(iteration=done)
        if promote:
            champion_promote(project=project, version=model, reasons=["it wins"], iteration_id=done.pk)
            base = model
            project.refresh_from_db()
        _measured(done, i)
        _prompt_figures(done, train, right=2 + i if promote else 2)
        iterations.append(done)
    alarm = Alarm.objects.create(
        project=project,
        iteration=iterations[3],
        key="diversity_loss",
        level="bad",
        metric="distinct_2",
        text="Distinct bigrams fell from 0.69 to 0.22.",
        facts={"distinct_2": 0.22, "before": 0.69, "limit": 0.8},
    )
    return MeasuredPast(project, lead, iterations, train, alarm)


def _measured(iteration: Iteration, i: int) -> None:
    rows = []
    for name, (unit, values, half) in MEASURED.items():
        value = values[i]
        ends = (None, None) if value is None or half is None else (value - half, value + half)
        detail = DETAILS.get(name, {}) if value is not None else {"reason": "no samples with it"}
        rows.append(
            MetricValue(
                project_id=iteration.project_id,
                iteration=iteration,
                name=name,
                value=value,
                low=ends[0],
                high=ends[1],
                n=400,
                unit=unit,
                detail=detail,
            )
        )
    MetricValue.objects.bulk_create(rows)


def _prompt_figures(iteration: Iteration, prompts: list[Prompt], right: int) -> None:
    """Prompt n has min(8, right + n % 3) of 8 samples right."""
    PromptFigures.objects.bulk_create(
        PromptFigures(
            iteration=iteration,
            prompt=prompt,
            samples=8,
            scored=8,
            right=min(8, right + n % 3),
            kept=min(4, right),
            answers=4,
            majority=right > 3,
            best=right > 3,
            tokens=140.0,
        )
        for n, prompt in enumerate(prompts)
    )


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

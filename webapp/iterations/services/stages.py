"""What each stage plans when it is entered, and when it is over.

`enter` runs in the transaction of the move into a stage; `due` says whether a move out of it is due.
Both only read and write rows: machine work goes to work units, people's work to annotation tasks.
"""

from __future__ import annotations

from typing import Any

from loop.finetune.objectives import OBJECTIVES
from loop.records import RowKind
from loop.stages import Stage, Status
from webapp.annotate import selectors as annotate_selectors
from webapp.annotate import services as annotate_services
from webapp.annotate.models import TaskPurpose
from webapp.curate import selectors as curate_selectors
from webapp.iterations import sentences
from webapp.iterations.models import Iteration, Queue, WorkUnit
from webapp.iterations.selectors import recipe_of
from webapp.iterations.services import gate, selection
from webapp.iterations.services.measures import measuring_done, measuring_plan
from webapp.iterations.services.units import units_add
from webapp.registry import services as registry
from webapp.registry.models import ModelVersion

Due = tuple[Stage, str] | None

# Prompts per GENERATE unit: what one worker's death can cost. Large enough for full batches.
PROMPTS_PER_UNIT = 100
PROMPTS_PER_EVALUATION = 300
CONTINUATIONS_PER_UNIT = 64
# The rows that are made of continuations; no other recipe pays for them.
CONTINUED = {RowKind.TRAJECTORY, RowKind.REFINEMENT, RowKind.STEP_PAIR}


def slices(items: list[Any], size: int) -> list[list[Any]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def _units(iteration: Iteration, *kinds: str) -> tuple[int, int]:
    """(done, all) units of these kinds."""
    units = WorkUnit.objects.filter(iteration=iteration, kind__in=kinds)
    states = list(units.values_list("state", flat=True))
    return states.count(WorkUnit.State.DONE), len(states)


def _all_done(iteration: Iteration, kind: str) -> bool:
    done, total = _units(iteration, kind)
    return total > 0 and done == total


def enter(iteration: Iteration) -> None:
    """Plan the stage the iteration just moved into."""
    if plan := _PLANS.get(Stage(iteration.stage)):
        plan(iteration)


def due(iteration: Iteration) -> Due:
    """The move that is due now and why, or None."""
    return _DUE[Stage(iteration.stage)](iteration)


# PREPARE ------------------------------------------------------------------------------------------


def _prepare_due(iteration: Iteration) -> Due:
    return Stage.GENERATE, sentences.PINNED.format(champion=iteration.champion)


# GENERATE -----------------------------------------------------------------------------------------


def _generate_plan(iteration: Iteration) -> None:
    if iteration.arm != Iteration.Arm.MAIN:
        return  # a control arm reads the responses of the iteration it controls
    part = recipe_of(iteration).prompts
    ids = selection.train_prompt_ids(iteration, limit=part.limit)
    parts = slices(ids, PROMPTS_PER_UNIT)
    iteration.counts = {**iteration.counts, "prompts": len(ids)}
    iteration.save(update_fields=["counts"])
    units_add(
        iteration=iteration,
        kind="generate",
        queue=Queue.MODEL,
        payloads=[{"prompt_ids": p} for p in parts],
        totals=[len(p) for p in parts],
    )


def _generate_due(iteration: Iteration) -> Due:
    if iteration.arm != Iteration.Arm.MAIN:
        return Stage.ANNOTATE, sentences.REUSES
    done, total = _units(iteration, "generate")
    if done < total:
        return None
    return Stage.ANNOTATE, sentences.ANSWERED.format(n=iteration.counts.get("prompts", 0))


# ANNOTATE -----------------------------------------------------------------------------------------


def _annotate_plan(iteration: Iteration) -> None:
    part = recipe_of(iteration).annotate
    if iteration.arm != Iteration.Arm.MAIN or part.kind == "none" or part.take == 0:
        return
    items, control = selection.annotation_items(iteration, part)
    made = annotate_services.tasks_create(
        iteration=iteration,
        kind=part.kind,
        items=items,
        control=control,
        overlap=part.overlap,
        show_model_critique=part.show_model_critique,
        show_reference=part.show_reference,
    )
    if made:
        iteration.status = Status.WAITING.value
        iteration.save(update_fields=["status"])
        if iteration.simulate_annotators:
            simulation_plan(iteration)


def simulation_plan(iteration: Iteration) -> bool:
    """Queue a round of simulated answers; false while an earlier round is still to be done."""
    return bool(units_add(iteration=iteration, kind="simulate", queue=Queue.LIGHT, payloads=[{}], again=True))


def _annotate_due(iteration: Iteration) -> Due:
    if annotate_selectors.tasks_open(iteration):  # asked every second: an index probe, not a sum over tasks
        return None
    answers, wanted = annotate_selectors.iteration_progress(iteration)
    return Stage.CURATE, (
        sentences.ANSWERS_IN.format(answers=answers, wanted=wanted)
        if wanted
        else sentences.NOTHING_TO_ANNOTATE
    )


# CURATE -------------------------------------------------------------------------------------------


def _curate_plan(iteration: Iteration) -> None:
    part = recipe_of(iteration).curate
    marked = []
    if iteration.arm == Iteration.Arm.MAIN and part.continuations and CONTINUED & set(part.rows):
        marked = curate_selectors.corrected_critique_ids(iteration)
    parts = slices(marked, CONTINUATIONS_PER_UNIT)
    units_add(
        iteration=iteration,
        kind="continue",
        queue=Queue.MODEL,
        payloads=[{"critique_ids": p} for p in parts],
        totals=[len(p) for p in parts],
    )
    if not parts:
        units_add(iteration=iteration, kind="curate", queue=Queue.LIGHT, payloads=[{}])


def _curate_due(iteration: Iteration) -> Due:
    done, total = _units(iteration, "continue")
    if done < total:
        return None
    if total and not _units(iteration, "curate")[1]:
        units_add(iteration=iteration, kind="curate", queue=Queue.LIGHT, payloads=[{}])
        return None
    if not _all_done(iteration, "curate"):
        return None
    dataset = iteration.dataset_version
    least = recipe_of(iteration).finetune.min_rows
    if dataset is None or dataset.row_count < least:
        rows = dataset.row_count if dataset else 0
        return Stage.DONE, sentences.TOO_FEW.format(n=rows, least=least)
    return Stage.FINETUNE, sentences.FROZEN.format(dataset=dataset.number, n=dataset.row_count)


# FINETUNE -----------------------------------------------------------------------------------------


def _finetune_plan(iteration: Iteration) -> None:
    units_add(iteration=iteration, kind="train", queue=Queue.TRAIN, payloads=[{}])


def _finetune_due(iteration: Iteration) -> Due:
    if not _all_done(iteration, "train"):
        return None
    return Stage.EVALUATE, sentences.TRAINED.format(model=iteration.challenger)


# EVALUATE -----------------------------------------------------------------------------------------


def _gives(iteration: Iteration) -> str:
    """The role of the model that the iteration trains."""
    return OBJECTIVES[recipe_of(iteration).finetune.objective].gives


def _evaluate_plan(iteration: Iteration) -> None:
    if _gives(iteration) != ModelVersion.Role.POLICY:
        from webapp.iterations.services import scorers

        scorers.evaluate_plan(iteration)
        return
    payloads: list[dict[str, Any]] = []
    for needed in gate.measurements(iteration):
        evaluation = registry.evaluation_for(
            version=needed.version,
            split=needed.split,
            sha=registry.prompts_sha(needed.ids, needed.sampling),
            sampling=needed.sampling,
            size=len(needed.ids),
        )
        if evaluation.done:
            continue  # this version was measured in exactly this way before
        payloads += [
            {"evaluation_id": evaluation.pk, "version_id": needed.version.pk, "prompt_ids": part}
            for part in slices(needed.ids, PROMPTS_PER_EVALUATION)
        ]
    units_add(
        iteration=iteration,
        kind="evaluate",
        queue=Queue.MODEL,
        payloads=payloads,
        totals=[len(p["prompt_ids"]) for p in payloads],
    )


def _evaluate_due(iteration: Iteration) -> Due:
    done, total = _units(iteration, "evaluate", "rank")
    if done < total:
        return None
    if (measured := measuring_done(iteration, Stage.EVALUATE)) is None:
        measuring_plan(
            iteration=iteration, stage=Stage.EVALUATE
        )  # an alarm may hold what the gate would pass
    return (Stage.PROMOTE, sentences.MEASURED) if measured else None


# PROMOTE ------------------------------------------------------------------------------------------


def _promote_plan(iteration: Iteration) -> None:
    if _gives(iteration) != ModelVersion.Role.POLICY:
        from webapp.iterations.services import scorers

        scorers.decide(iteration)
        return
    if gate.decision_begin(iteration):
        iteration.status = Status.WAITING.value
        iteration.save(update_fields=["status"])
        if iteration.simulate_annotators:
            simulation_plan(iteration)


def _promote_due(iteration: Iteration) -> Due:
    if not iteration.decision:
        if annotate_selectors.tasks_open(iteration, TaskPurpose.GATE):
            return None
        if not annotate_selectors.gate_tasks_exist(iteration):
            return None
        gate.decision_end(iteration)
    return Stage.DONE, sentences.PROMOTED if iteration.decision["promote"] else sentences.HELD


def waits_for_people(iteration: Iteration) -> bool:
    """Whether the stage it stands in is one that people end: annotating, or comparing blindly."""
    return iteration.stage == Stage.ANNOTATE.value or (
        iteration.stage == Stage.PROMOTE.value and annotate_selectors.gate_tasks_exist(iteration)
    )


def _no_move(_iteration: Iteration) -> Due:
    return None


_PLANS = {
    Stage.GENERATE: _generate_plan,
    Stage.ANNOTATE: _annotate_plan,
    Stage.CURATE: _curate_plan,
    Stage.FINETUNE: _finetune_plan,
    Stage.EVALUATE: _evaluate_plan,
    Stage.PROMOTE: _promote_plan,
}
_DUE = {
    Stage.PREPARE: _prepare_due,
    Stage.GENERATE: _generate_due,
    Stage.ANNOTATE: _annotate_due,
    Stage.CURATE: _curate_due,
    Stage.FINETUNE: _finetune_due,
    Stage.EVALUATE: _evaluate_due,
    Stage.PROMOTE: _promote_due,
    Stage.DONE: _no_move,
}

"""Iterations that train a scorer: how it is measured, and whether it comes into use.

On the held-out prompts the pinned policy writes several solutions. The new scorer picks one of each prompt's,
so does the scorer in use, and the first one stands for doing without. Right and wrong picks go through the
same paired gate as policies do; what is promoted is the scorer of its role.
"""

from __future__ import annotations

from typing import Any

from loop.promote import Decision, Evidence, slices_of
from loop.promote import decide as gate_decide
from loop.records import Split
from webapp.iterations import sentences
from webapp.iterations.models import Iteration, Queue
from webapp.iterations.selectors import recipe_of
from webapp.iterations.services.deciding import compared, decision_write, figures
from webapp.iterations.services.pinning import evaluation_sets, slice_shown
from webapp.iterations.services.units import units_add
from webapp.projects.models import Project
from webapp.registry import services as registry
from webapp.registry.models import ModelVersion
from webapp.registry.selectors import evaluation_of, outcome_rows, outcomes_by_prompt, scorer_in_use
from webapp.traces.selectors import prompt_records

HELDOUT = Split.HELDOUT.value
RANK = "rank"  # the kind of work unit: samples written once, ranked by each scorer
PROMPTS_PER_RANKING = 100  # each has several samples
CHALLENGER, IN_USE, FIRST = "challenger", "in_use", "first"


class NotRanked(Exception):
    """A scorer that the decision needs was not measured."""


def sampling_of(iteration: Iteration) -> dict[str, Any]:
    """How the samples are made that scorers pick from. Drawn anew for each iteration: what one scorer was put
    in use for must not be what the next is compared on."""
    part = recipe_of(iteration).evaluate
    assert iteration.champion is not None
    return {
        "best_of": part.best_of,
        "temperature": part.temperature,
        "max_new_tokens": part.max_new_tokens,
        "over": part.over,
        "of": iteration.champion.name,
        "draw": iteration.number,
    }


def measured(iteration: Iteration) -> dict[str, tuple[ModelVersion, dict[str, Any]]]:
    """Who picks -> (version that the evaluation belongs to, its sampling)."""
    challenger, sampling = iteration.challenger, sampling_of(iteration)
    assert challenger is not None
    found = {CHALLENGER: (challenger, sampling), FIRST: (challenger, {**sampling, "unranked": True})}
    if iteration.scorer is not None:
        found[IN_USE] = (iteration.scorer, sampling)
    return found


def evaluate_plan(iteration: Iteration) -> None:
    """Queue the ranking of the held-out prompts; each unit serves every evaluation."""
    ids = evaluation_sets(iteration)[HELDOUT]
    evaluations = {
        who: registry.evaluation_for(
            version=version,
            split=HELDOUT,
            sha=registry.prompts_sha(ids, sampling),
            sampling=sampling,
            size=len(ids),
        ).pk
        for who, (version, sampling) in measured(iteration).items()
    }
    parts = [ids[i : i + PROMPTS_PER_RANKING] for i in range(0, len(ids), PROMPTS_PER_RANKING)]
    units_add(
        iteration=iteration,
        kind=RANK,
        queue=Queue.MODEL,
        payloads=[{"evaluations": evaluations, "prompt_ids": part} for part in parts],
        totals=[len(part) for part in parts],
    )


def decide(iteration: Iteration) -> None:
    """Write the decision and its evidence on the iteration; put the scorer in use, or hold with the reasons.

    Raises:
        NotRanked: an evaluation is missing.
    """
    ids, challenger = evaluation_sets(iteration)[HELDOUT], iteration.challenger
    assert challenger is not None
    outcomes = {
        who: _outcomes(version, ids, sampling) for who, (version, sampling) in measured(iteration).items()
    }
    part = recipe_of(iteration).gate
    before = outcomes.get(IN_USE, outcomes[FIRST])
    evidence = Evidence(
        champion=before,
        challenger=outcomes[CHALLENGER],
        # No scorer at all is what a scorer's baseline without training is.
        baseline=outcomes[FIRST] if IN_USE in outcomes else None,
        slices=slices_of(prompt_records(ids)),
    )
    settings = part.model_copy(update={"beat_baseline": part.against_base})
    decision = gate_decide(evidence, settings)
    promote, reasons = _verdict(iteration, decision)
    where = slice_shown(iteration)
    if where["exhausted"]:
        reasons = [sentences.EXHAUSTED.format(budget=where["budget"])]
    decision_write(
        iteration=iteration,
        promote=promote,
        passed=decision.promote,
        reasons=reasons,
        facts=_shown(iteration, decision) | {"slice": where},
    )


def _outcomes(version: ModelVersion, ids: list[int], sampling: dict[str, Any]) -> dict[str, bool | None]:
    if not ids:
        return {}
    found = evaluation_of(version, HELDOUT, registry.prompts_sha(ids, sampling))
    if found is None:
        raise NotRanked(f"{version.name} has not picked on the held-out prompts")
    return outcomes_by_prompt(outcome_rows(found))


def _verdict(iteration: Iteration, decision: Decision) -> tuple[bool, list[str]]:
    """(whether it comes into use, why or why not)."""
    reasons = list(decision.reasons)
    if iteration.arm != Iteration.Arm.MAIN:
        return False, [sentences.NEVER_PROMOTED, *reasons]
    if decision.promote and (why := _moved_on(iteration)):
        return False, [why, *reasons]
    return decision.promote, reasons


def _moved_on(iteration: Iteration) -> str:
    """Why the evidence says nothing about what is in use now. Locks the project until that is decided."""
    assert iteration.challenger is not None
    project = Project.objects.select_for_update(no_key=True).get(pk=iteration.project_id)
    now, then = scorer_in_use(project, iteration.challenger.role), iteration.scorer
    if (now and now.pk) == (then and then.pk):
        return ""
    before = then.name if then else sentences.NO_SCORER
    return sentences.SCORER_REPLACED.format(before=before, now=now.name if now else sentences.NOTHING)


def _shown(iteration: Iteration, decision: Decision) -> dict[str, Any]:
    """The evidence as plain data. ``picks`` says what the figures are: shares of right picks."""
    first, sampling = decision.against["champion"], sampling_of(iteration)
    without = decision.against.get("baseline", first)
    return {
        **figures(decision),
        "picks": {
            "best_of": sampling["best_of"],
            "policy": sampling["of"],
            "in_use": iteration.scorer.name if iteration.scorer else None,
            "in_use_number": iteration.scorer.number if iteration.scorer else None,
            "first_sample": compared(without),
            "any_right": _any_right(iteration),
        },
        "against": {"champion": compared(first)},
        "baseline": None,
        "guards": {},
        "cost": {},
        "blind": None,
    }


def _any_right(iteration: Iteration) -> float | None:
    """Share of prompts with a right sample among those to pick from: no scorer can do better."""
    results = list(iteration.units.filter(kind=RANK).values_list("result", flat=True))
    prompts = sum(result.get("prompts", 0) for result in results)
    return sum(result.get("any_right", 0) for result in results) / prompts if prompts else None

"""Reads of the iterations app."""

from __future__ import annotations

from typing import Any

from loop.recipe import Recipe, recipe_parse
from webapp.annotate.selectors import iteration_progress
from webapp.iterations.models import Iteration, Transition, WorkUnit


def unit_for_work(unit_id: int) -> WorkUnit:
    """A unit with everything its executor reads, in one query."""
    return WorkUnit.objects.select_related(
        "project",
        "iteration__project",
        "iteration__champion",
        "iteration__challenger",
        "iteration__dataset_version",
    ).get(pk=unit_id)


def recipe_of(iteration: Iteration) -> Recipe:
    """The recipe as it was when the iteration started."""
    return recipe_parse(iteration.recipe, f"{iteration}, recipe {iteration.recipe_name}")


def work_progress(iteration: Iteration) -> str:
    """One line that says where the iteration stands."""
    if iteration.status == "waiting":
        answers, wanted = iteration_progress(iteration)
        return f"{iteration} annotate: {answers} of {wanted} answers"
    units = list(
        WorkUnit.objects.filter(iteration=iteration, stage=iteration.stage).values_list(
            "kind", "done", "total", "state"
        )
    )
    parts = []
    for kind in dict.fromkeys(k for k, *_ in units):
        mine = [u for u in units if u[0] == kind]
        done, total = sum(u[1] for u in mine), sum(u[2] for u in mine)
        finished = sum(u[3] == WorkUnit.State.DONE for u in mine)
        parts.append(f"{kind} {done}/{total}" if total else f"{kind} {finished}/{len(mine)} units")
    return f"{iteration} {iteration.stage}: {', '.join(parts) or iteration.status}"


def unclaimed(iteration: Iteration) -> bool:
    """Whether it has machine work and nobody has taken any of it yet, as when no worker runs."""
    states = list(iteration.units.values_list("attempt", flat=True))
    return bool(states) and not any(states)


def stage_seconds(iteration: Iteration) -> dict[str, float]:
    """Wall-clock seconds spent in each stage that was left, by the transition log."""
    seconds: dict[str, float] = {}
    since = iteration.created_at
    for move in Transition.objects.filter(iteration=iteration).order_by("id"):
        seconds[move.from_stage] = round((move.at - since).total_seconds(), 2)
        since = move.at
    return seconds


def iteration_report(iteration: Iteration) -> dict[str, Any]:
    """An iteration's outcome as plain data: what commands print and reports keep."""
    decision = iteration.decision or {}
    last = Transition.objects.filter(iteration=iteration).order_by("-id").first()
    return {
        "number": iteration.number,
        "recipe": iteration.recipe_name,
        "arm": iteration.arm,
        "seed": iteration.seed,
        "stage": iteration.stage,
        "status": iteration.status,
        "problem": iteration.problem,
        "heldout_before": decision.get("before"),
        "heldout_after": decision.get("after"),
        "n": decision.get("n"),
        "effect": decision.get("effect"),
        "ci95": decision.get("ci95"),
        "p_value": decision.get("p_value"),
        "promoted": decision.get("promote", False),
        "reasons": decision.get("reasons") or ([last.because] if last else []),
        "challenger": iteration.challenger.name if iteration.challenger else None,
        "counts": {("rejected" if k == "dropped" else k): v for k, v in iteration.counts.items()},
        "seconds": stage_seconds(iteration),
    }

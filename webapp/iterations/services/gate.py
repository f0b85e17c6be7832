"""PROMOTE: compare challenger and champion on the same prompts, decide, and move the pointer or hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loop.evaluate.rates import accuracy
from loop.promote.gate import Guard
from loop.promote.gate import decide as gate_decide
from loop.recipe import GatePart
from loop.records import Split
from webapp.iterations.models import Iteration
from webapp.projects.models import Project
from webapp.registry import services as registry
from webapp.registry.models import ModelVersion
from webapp.registry.selectors import OutcomeRow, evaluation_of, outcome_rows, outcomes_by_prompt

Rows = list[OutcomeRow]


class NotMeasured(Exception):
    """An evaluation the gate needs is not there."""


def decide(
    iteration: Iteration, settings: GatePart, sampling: Mapping[str, Any], sets: Mapping[str, list[int]]
) -> None:
    """Write the decision and its evidence on the iteration; promote, or hold with the reasons in words.

    Raises:
        NotMeasured: an evaluation is missing.
    """
    champion, challenger = iteration.champion, iteration.challenger
    assert champion is not None
    assert challenger is not None
    before = {s: _rows(champion, s, ids, sampling) for s, ids in sets.items()}
    after = {s: _rows(challenger, s, ids, sampling) for s, ids in sets.items()}
    held = Split.HELDOUT.value
    guards = _guards(before, after)
    outcomes = outcomes_by_prompt(before[held]), outcomes_by_prompt(after[held])
    decision = gate_decide(*outcomes, guards, settings, seed=iteration.seed)
    control = iteration.arm != Iteration.Arm.MAIN
    passed = decision.promote
    reasons = list(decision.reasons)
    promote = passed and not control
    if control:
        reasons = ["control arm: never promoted", *reasons]
    elif promote and not _still_champion(champion):
        # The evidence is against a model that is not in use any more: it says nothing about the one that is.
        promote = False
        reasons = [f"{champion.name} stopped being champion meanwhile; compare with the new one", *reasons]
    iteration.decision = {
        "promote": promote,
        "passed": passed,
        "effect": decision.effect,
        "ci95": list(decision.ci95) if decision.ci95 else None,
        "p_value": decision.p_value,
        "n": decision.n,
        "before": accuracy(outcomes[0].values()).value,
        "after": accuracy(outcomes[1].values()).value,
        "turned_right": decision.flips.gained,
        "turned_wrong": decision.flips.lost,
        "left_out": decision.left_out,
        "reasons": reasons,
        "guards": {n: {"before": g.champion, "after": g.challenger} for n, g in guards.items()},
    }
    iteration.save(update_fields=["decision"])
    if iteration.decision["promote"]:
        registry.champion_promote(
            project=iteration.project,
            version=challenger,
            reasons=reasons,
            evidence=iteration.decision,
            iteration_id=iteration.pk,
        )
    else:
        registry.challenger_hold(
            version=challenger, reasons=reasons, evidence=iteration.decision, iteration_id=iteration.pk
        )


def _still_champion(version: ModelVersion) -> bool:
    """Locks the project, so that the answer holds until the decision is committed."""
    project = Project.objects.select_for_update(no_key=True).get(pk=version.project_id)
    return project.champion_id == version.pk


def _rows(version: ModelVersion, split: str, ids: list[int], sampling: Mapping[str, Any]) -> Rows:
    if not ids:
        return []
    evaluation = evaluation_of(version, split, registry.prompts_sha(ids, sampling))
    if evaluation is None:
        raise NotMeasured(f"{version.name} was not measured on the {split} prompts")
    return outcome_rows(evaluation)


def _guards(before: Mapping[str, Rows], after: Mapping[str, Rows]) -> dict[str, Guard]:
    """What must not get worse: the probe set, answers that can be read, answers that come to an end."""
    held, probe = Split.HELDOUT.value, Split.PROBE.value
    guards = {
        "answers that can be read": Guard(_readable(before[held]), _readable(after[held])),
        "answers cut off at the length limit": Guard(
            _cut(before[held]), _cut(after[held]), higher_is_better=False
        ),
    }
    if before.get(probe):
        guards["probe accuracy"] = Guard(
            accuracy(outcomes_by_prompt(before[probe]).values()).value,
            accuracy(outcomes_by_prompt(after[probe]).values()).value,
        )
    return guards


def _readable(rows: Rows) -> float | None:
    return sum(answer is not None for *_, answer in rows) / len(rows) if rows else None


def _cut(rows: Rows) -> float | None:
    return sum(finish == "length" for _, _, finish, _ in rows) / len(rows) if rows else None

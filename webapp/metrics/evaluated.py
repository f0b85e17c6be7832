"""The evaluations that an iteration's gate compares, found as the gate finds them."""

from __future__ import annotations

from loop.finetune.objectives import OBJECTIVES
from webapp.iterations.models import Iteration
from webapp.iterations.selectors import recipe_of
from webapp.iterations.services import gate, scorers
from webapp.iterations.services.pinning import evaluation_sets
from webapp.registry.models import Evaluation
from webapp.registry.selectors import evaluation_of
from webapp.registry.services import prompts_sha

Sides = tuple[Evaluation, Evaluation]  # champion's, challenger's


def trains_policy(iteration: Iteration) -> bool:
    """Or else a scorer."""
    return OBJECTIVES[recipe_of(iteration).finetune.objective].gives == "policy"


def sides_of(iteration: Iteration, split: str) -> Sides | None:
    """Both sides' finished evaluations on the split's pinned prompts. Of an iteration that trains a scorer:
    of what the scorer in use (or nobody: the first sample) and the new one pick. None where one is
    missing."""
    if iteration.champion is None or iteration.challenger is None:
        return None
    found = _policies(iteration, split) if trains_policy(iteration) else _scorers(iteration, split)
    before, after = found.get(gate.CHAMPION), found.get(gate.CHALLENGER)
    return None if before is None or after is None else (before, after)


def _policies(iteration: Iteration, split: str) -> dict[str, Evaluation | None]:
    ids, sampling = evaluation_sets(iteration)[split], gate.sampling_of(iteration)
    sides = {gate.CHAMPION: iteration.champion, gate.CHALLENGER: iteration.challenger}
    sha = prompts_sha(ids, sampling)
    return {who: evaluation_of(version, split, sha) for who, version in sides.items() if version and ids}


def _scorers(iteration: Iteration, split: str) -> dict[str, Evaluation | None]:
    ids = evaluation_sets(iteration)[split] if split == scorers.HELDOUT else []
    if not ids:
        return {}
    asked = scorers.measured(iteration)
    found = {
        who: evaluation_of(version, split, prompts_sha(ids, sampling))
        for who, (version, sampling) in asked.items()
    }
    before = scorers.IN_USE if scorers.IN_USE in found else scorers.FIRST
    return {gate.CHAMPION: found[before], gate.CHALLENGER: found[scorers.CHALLENGER]}

"""GENERATE: run the recipe's method over a slice of prompts and store everything the model said."""

from __future__ import annotations

from typing import Any

from loop.dialects import dialect_named
from loop.model import Scorer
from loop.recipe import Recipe, method_named
from loop.runtime import run_method
from webapp.iterations.selectors import recipe_of
from webapp.iterations.services import unit_completion
from webapp.traces.selectors import prompt_records
from webapp.traces.services import traces_store
from workers.lease import Lease, patiently
from workers.models import as_scorer, engine_with


def run(unit: Any, lease: Lease) -> None:
    iteration = unit.iteration
    recipe = recipe_of(iteration)
    method = method_named(recipe.method)
    version = iteration.champion
    prompts = prompt_records(unit.payload["prompt_ids"])
    lease.report(done=0, total=len(prompts), message="sampling")
    traces = run_method(
        method.improve,
        prompts,
        engine_with(version),
        method.Settings.model_validate(recipe.settings),
        dialect=dialect_named(iteration.project.dialect),
        model_name=version.name,
        adapter=version.adapter_name,
        scorer=_scorer(iteration, recipe),
        run_key=f"{iteration.project.slug}/{iteration.number}",
        seed=iteration.seed,
        on_trace=lease.count,
    )
    errors = [t.error for t in traces if t.error]
    if len(errors) == len(traces):
        raise RuntimeError(f"the method failed on every prompt; first: {errors[0]}")

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            sampled = traces_store(traces=traces, iteration_id=iteration.pk, model_version_id=version.pk)
            held.result = {
                "responses": sampled,
                "tokens": sum(t.tokens for t in traces),
                "calls": sum(t.calls for t in traces),
                "errors": errors[:20],
                "failed_prompts": len(errors),
            }

    patiently(write)


def _scorer(iteration: Any, recipe: Recipe) -> Scorer | None:
    """The pinned scorer, loaded beside the policy on the same engine, where the method may ask it."""
    version = iteration.scorer
    if version is None or version.role not in recipe.needs:
        return None
    engine_with(version)
    return as_scorer(version)

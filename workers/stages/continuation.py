"""CURATE, machine part: finish solutions from where people found and corrected the first error."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from loop.dialects import dialect_named
from loop.records import Critique, Response
from loop.runtime import run_method
from loop.sample.backtrack import Settings, backtrack
from webapp.curate.selectors import judged_responses
from webapp.iterations.selectors import recipe_of
from webapp.iterations.services import unit_completion
from webapp.traces.selectors import prompt_records
from webapp.traces.services import traces_store
from workers.lease import Lease, patiently
from workers.models import engine_with


def run(unit: Any, lease: Lease) -> None:
    iteration = unit.iteration
    version = iteration.champion
    judged: dict[str, list[tuple[Response, Critique]]] = defaultdict(list)
    for response, critique in judged_responses(unit.payload["critique_ids"]):
        judged[response.prompt_id].append((response, critique))
    prompts = prompt_records([int(p) for p in judged])
    tries = recipe_of(iteration).curate.continuations
    max_new_tokens = recipe_of(iteration).evaluate.max_new_tokens
    lease.report(done=0, total=len(prompts), message="continuing from corrected steps")
    traces = run_method(
        backtrack(judged),
        prompts,
        engine_with(version),
        Settings(tries=tries, max_new_tokens=max_new_tokens),
        dialect=dialect_named(iteration.project.dialect),
        model_name=version.name,
        adapter=version.adapter_name,
        run_key=f"{iteration.project.slug}/{iteration.number}/continue",
        seed=iteration.seed,
        on_trace=lease.count,
    )

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            held.result = {
                "responses": traces_store(
                    traces=traces, iteration_id=iteration.pk, model_version_id=version.pk
                )
            }

    patiently(write)

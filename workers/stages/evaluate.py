"""EVALUATE: one model version answers a slice of held-out or probe prompts, greedily."""

from __future__ import annotations

from typing import Any

from loop.dialects import dialect_named
from loop.evaluate.outcomes import outcome_of
from loop.evaluate.solve import Settings, solve
from loop.records import Trace, Verdict
from loop.runtime import run_method
from webapp.iterations.services import unit_completion
from webapp.registry.selectors import evaluation_for_work
from webapp.registry.services import evaluation_finish_if_complete, outcomes_store
from webapp.traces.selectors import prompt_records
from webapp.traces.services import traces_store
from workers.lease import Lease, patiently
from workers.models import engine_with


def run(unit: Any, lease: Lease) -> None:
    evaluation = evaluation_for_work(unit.payload["evaluation_id"])
    traces = evaluate(evaluation, unit.payload["prompt_ids"], lease)

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            held.result = store(evaluation, traces)

    patiently(write)


def evaluate(evaluation: Any, prompt_ids: list[int], lease: Lease | None = None) -> list[Trace]:
    """Answer the prompts as the evaluation's model version; nothing is stored."""
    version = evaluation.model_version
    if lease is not None:
        lease.report(done=0, total=len(prompt_ids), message=f"{version.name} on {evaluation.split}")
    return run_method(
        solve,
        prompt_records(prompt_ids),
        engine_with(version),
        Settings(**evaluation.sampling),
        dialect=dialect_named(version.dialect),
        model_name=version.name,
        adapter=version.adapter_name,
        run_key=f"evaluation/{evaluation.pk}",
        on_trace=lease.count if lease else None,
    )


def store(evaluation: Any, traces: list[Trace]) -> dict[str, Any]:
    """Write responses and outcomes; closes the evaluation when every prompt has one."""
    traces_store(traces=traces, iteration_id=None, model_version_id=evaluation.model_version_id)
    outcomes = [(int(t.prompt_id), *_outcome(t)) for t in traces]
    outcomes_store(evaluation=evaluation, outcomes=outcomes)
    evaluation_finish_if_complete(evaluation=evaluation)
    return {"prompts": len(outcomes), "right": sum(v == Verdict.RIGHT.value for _, v, _ in outcomes)}


def _outcome(trace: Trace) -> tuple[str, str | None]:
    """(verdict, response id). No readable answer is wrong; a method or checker that failed is an error."""
    if trace.error or not trace.scores:
        return Verdict.ERROR.value, trace.responses[0].id if trace.responses else None
    verdict, response = trace.scores[-1].verdict, trace.responses[-1]
    if outcome_of(verdict, response) is False:
        verdict = Verdict.WRONG
    return verdict.value, response.id

"""EVALUATE of a scorer: the policy's samples of some held-out prompts, and which of them scorers pick."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from loop.dialects import dialect_named
from loop.evaluate.best_of import Settings, picked, samples, scored
from loop.records import Trace, Verdict
from loop.runtime import run_method
from webapp.iterations.services import unit_completion
from webapp.iterations.services.measuring import evaluation_cost_add
from webapp.registry.selectors import evaluation_for_work
from webapp.registry.services import evaluation_finish_if_complete, outcomes_store
from webapp.traces.selectors import prompt_records
from webapp.traces.services import traces_store
from workers.lease import Lease, patiently
from workers.models import as_scorer, engine_with


def run(unit: Any, lease: Lease) -> None:
    iteration, policy = unit.iteration, unit.iteration.champion
    evaluations = {who: evaluation_for_work(pk) for who, pk in unit.payload["evaluations"].items()}
    began = time.monotonic()
    prompts = prompt_records(unit.payload["prompt_ids"])
    settings = Settings(**{k: v for k, v in _sampling(evaluations).items() if k in Settings.model_fields})
    key = f"rank/{iteration.project.slug}/{iteration.number}"
    common: dict[str, Any] = {
        "dialect": dialect_named(policy.dialect),
        "model_name": policy.name,
        "seed": iteration.seed,
    }
    lease.report(done=0, total=len(prompts), message=f"{policy.name} writes {settings.best_of} samples"[:200])
    traces = run_method(
        samples,
        prompts,
        engine_with(policy),
        settings,
        adapter=policy.adapter_name,
        run_key=key,
        on_trace=lease.count,
        **common,
    )
    written = {trace.prompt_id: trace.responses for trace in traces}
    said: dict[str, list[Trace | None]] = {}
    for who, evaluation in evaluations.items():
        if evaluation.sampling.get("unranked"):
            said[who] = [None] * len(traces)
            continue
        version = evaluation.model_version
        lease.report(message=f"{version.name} ranks them"[:200])
        said[who] = list(
            run_method(
                scored(written),
                prompts,
                engine_with(version),
                settings,
                scorer=as_scorer(version),
                run_key=f"{key}/{version.number}",
                **common,
            )
        )
    seconds = time.monotonic() - began

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            traces_store(
                traces=_with_scores(traces, said, evaluations), iteration_id=None, model_version_id=policy.pk
            )
            for who, evaluation in evaluations.items():
                picks = [picked(t, s) for t, s in zip(traces, said[who], strict=True)]
                outcomes = [
                    (int(t.prompt_id), verdict.value, pk)
                    for t, (verdict, pk) in zip(traces, picks, strict=True)
                ]
                outcomes_store(evaluation=evaluation, outcomes=outcomes)
                evaluation_finish_if_complete(evaluation=evaluation)
            tokens = sum(t.tokens for t in traces)
            evaluation_cost_add(evaluation=evaluations["challenger"], seconds=seconds, tokens=tokens)
            held.result = {"prompts": len(traces), "any_right": sum(map(_any_right, traces))}

    patiently(write)


def _sampling(evaluations: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = evaluations["challenger"].sampling
    return found


def _any_right(trace: Trace) -> bool:
    return any(s.verdict is Verdict.RIGHT for s in trace.scores)


def _with_scores(
    traces: list[Trace], said: dict[str, list[Trace | None]], evaluations: dict[str, Any]
) -> list[Trace]:
    """The samples with what every scorer gave them, each score under its scorer's number."""
    out = []
    for i, trace in enumerate(traces):
        scores = [
            replace(score, name=f"{score.name} v{evaluations[who].model_version.number}")
            for who, looks in said.items()
            if (look := looks[i]) is not None
            for score in look.scores
        ]
        out.append(replace(trace, scores=(*trace.scores, *scores)))
    return out

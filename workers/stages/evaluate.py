"""EVALUATE: one model version answers a part of the held-out or probe prompts, greedily."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from loop.dialects import Dialect, dialect_named
from loop.evaluate.outcomes import outcome_of
from loop.evaluate.shots import fitting
from loop.evaluate.solve import Settings, solve
from loop.records import Message, Prompt, Trace, Verdict
from loop.runtime import run_method
from webapp.iterations.services import unit_completion
from webapp.iterations.services.measuring import evaluation_cost_add
from webapp.registry.selectors import evaluation_for_work
from webapp.registry.services import evaluation_finish_if_complete, outcomes_store
from webapp.traces.selectors import prompt_records
from webapp.traces.services import traces_store
from workers.lease import Lease, patiently
from workers.models import engine_with

# Of a server that does not say how long its context is, this many tokens are counted on, at so many
# characters each: examples in a prompt are worth less than an evaluation that fails.
UNKNOWN_CONTEXT = 4096
CHARACTERS_PER_TOKEN = 3


def run(unit: Any, lease: Lease) -> None:
    evaluation = evaluation_for_work(unit.payload["evaluation_id"])
    engine = engine_with(evaluation.model_version)
    began = time.monotonic()
    traces, fewer = answers(evaluation, unit.payload["prompt_ids"], engine, lease)
    seconds = time.monotonic() - began

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            # In the transaction that completes the unit: what is done twice is counted once.
            evaluation_cost_add(evaluation=evaluation, seconds=seconds, tokens=sum(t.tokens for t in traces))
            held.result = store(evaluation, traces) | ({"fewer_shots": fewer} if fewer else {})

    patiently(write)


def answers(
    evaluation: Any, prompt_ids: list[int], engine: Any, lease: Lease | None = None
) -> tuple[list[Trace], int]:
    """The traces in prompt order, and how many prompts were answered with fewer examples than asked for,
    because the model's context has no room for more."""
    version = evaluation.model_version
    if lease is not None:
        shown = "with examples in the prompt, " if evaluation.sampling.get("shots") else ""
        lease.report(
            done=0, total=len(prompt_ids), message=f"{version.name} {shown}on {evaluation.split}"[:200]
        )
    settings, dialect = Settings(**evaluation.sampling), dialect_named(version.dialect)
    prompts = prompt_records(prompt_ids)
    by_room = _by_room(prompts, settings, engine, dialect)
    traces = [
        trace
        for shots, some in by_room.items()
        for trace in run_method(
            solve,
            some,
            engine,
            settings.model_copy(update={"shots": settings.shots[:shots]}),
            dialect=dialect,
            model_name=version.name,
            adapter=version.adapter_name,
            run_key=f"evaluation/{evaluation.pk}",
            on_trace=lease.count if lease else None,
        )
    ]
    place = {str(pk): i for i, pk in enumerate(prompt_ids)}
    traces.sort(key=lambda t: place[t.prompt_id])
    return traces, len(prompts) - len(by_room.get(len(settings.shots), []))


def _by_room(
    prompts: list[Prompt], settings: Settings, engine: Any, dialect: Dialect
) -> dict[int, list[Prompt]]:
    """How many examples fit -> the prompts they fit in front of, with room left for the answer."""
    shots = [(s.user, s.assistant) for s in settings.shots]
    if not shots:
        return {0: prompts}
    count, context = _counting(engine)
    room = context - settings.max_new_tokens
    found: dict[int, list[Prompt]] = defaultdict(list)
    for prompt in prompts:
        found[fitting(dialect.solve(prompt), shots, count, room)].append(prompt)
    return dict(found)


def _counting(engine: Any) -> tuple[Callable[[tuple[Message, ...]], int], int]:
    """How the engine counts a conversation's tokens, and how many fit its context; else a cautious guess."""
    if (tokens := getattr(engine, "tokens", None)) is not None:
        return lambda messages: len(tokens.prompt_ids(messages)), engine.context
    return (
        lambda messages: sum(len(m.content) for m in messages) // CHARACTERS_PER_TOKEN,
        getattr(engine, "context", None) or UNKNOWN_CONTEXT,
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

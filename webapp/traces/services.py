"""Writing what the machine said. All writes are conflict-free repeats: ids derive from the work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from django.db import transaction

from loop import records
from webapp.traces.models import Critique, Preference, Response, Score, spans_of

VERIFIER = "verifier"


def _response_row(
    response: records.Response, iteration_id: int | None, model_version_id: int | None, verdict: str
) -> Response:
    return Response(
        id=response.id,
        prompt_id=int(response.prompt_id),
        iteration_id=iteration_id,
        parent_id=response.parent_id,
        origin=response.origin.value,
        text=response.text,
        answer=response.answer,
        finish=response.finish,
        step_spans=spans_of(response.steps),
        token_ids=list(response.token_ids),
        logprobs=list(response.logprobs),
        sampling=asdict(response.sampling),
        seed=response.seed,
        model_version_id=model_version_id,
        dialect=response.dialect,
        verdict=verdict,
    )


@transaction.atomic
def traces_store(
    *, traces: Iterable[records.Trace], iteration_id: int | None, model_version_id: int | None
) -> int:
    """Store every record of these traces; returns how many responses they hold.

    A repeat of the same work stores nothing new: responses, critiques and preferences carry ids
    derived from (run, prompt, call), scores are unique per response.
    """
    traces = list(traces)
    responses = [r for t in traces for r in t.responses]
    scores = [s for t in traces for s in t.scores]
    verdicts = {s.response_id: s.verdict.value for s in scores if s.name == VERIFIER}
    Response.objects.bulk_create(
        [_response_row(r, iteration_id, model_version_id, verdicts.get(r.id, "unknown")) for r in responses],
        ignore_conflicts=True,
        batch_size=1000,
    )
    Critique.objects.bulk_create(
        [
            Critique(
                id=c.id,
                response_id=c.response_id,
                author_kind=c.author.value,
                model_version_id=model_version_id if c.author is records.Author.MODEL else None,
                marks=[None if m is None else int(m) for m in c.marks],
                first_error=c.first_error,
                verdict=c.verdict.value,
                comments={str(k): v for k, v in c.comments.items()},
                corrections={str(k): v for k, v in c.corrections.items()},
                text=c.text,
                parsed=c.parsed,
            )
            for t in traces
            for c in t.critiques
        ],
        ignore_conflicts=True,
        batch_size=2000,
    )
    Preference.objects.bulk_create(
        [
            Preference(
                id=p.id,
                prompt_id=int(p.prompt_id),
                iteration_id=iteration_id,
                response_ids=list(p.response_ids),
                critique_ids=list(p.critique_ids),
                winner=p.winner,
                strength=p.strength,
                all_bad=p.all_bad,
                rationale=p.rationale,
                author_kind=p.author.value,
            )
            for t in traces
            for p in t.preferences
        ],
        ignore_conflicts=True,
    )
    Score.objects.bulk_create(
        [
            Score(
                response_id=s.response_id,
                name=s.name,
                value=s.value,
                verdict=s.verdict.value,
                detail=s.detail,
            )
            for s in scores
        ],
        ignore_conflicts=True,
        batch_size=5000,
    )
    return len(responses)

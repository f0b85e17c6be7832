"""Critique: the model judges a response step by step."""

from __future__ import annotations

from loop.dialects import ReadCritique
from loop.model import Model
from loop.records import Author, Critique, Prompt, Response, Sampling, Score, Verdict


async def by_step(
    model: Model, prompt: Prompt, response: Response, sampling: Sampling | None = None
) -> Critique:
    """The model's own critique of every step up to the first error.

    What cannot be read is kept with ``parsed=False`` and ``Verdict.UNKNOWN``: it is never "serious".
    """
    completion = (await model.sample(model.dialect.critique(prompt, response), sampling=sampling))[0]
    read = model.dialect.read_critique(completion.text, response) if completion.finish == "stop" else None
    found = read or ReadCritique((None,) * len(response.steps), None, Verdict.UNKNOWN)
    critique = Critique(
        id=model.new_id(),
        response_id=response.id,
        author=Author.MODEL,
        marks=found.marks,
        first_error=found.first_error,
        verdict=found.verdict,
        comments=found.comments,
        corrections=found.corrections,
        text=completion.text,
        parsed=read is not None,
        model=model.name,
    )
    model.keep(critique)
    return critique


def self_verdict(model: Model, response: Response, critique: Critique) -> Score:
    """Keep the model's own verdict on its final response as a score: what SELF filters by."""
    verdict = Verdict.WRONG if critique.serious else critique.verdict
    value = {Verdict.RIGHT: 1.0, Verdict.WRONG: 0.0}.get(verdict)
    detail = "" if critique.parsed else "the critique could not be read"
    score = Score(response.id, "self_verdict", value, verdict, detail)
    model.keep(score)
    return score

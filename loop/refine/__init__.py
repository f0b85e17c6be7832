"""Refine: the model rewrites a response in the light of a critique."""

from __future__ import annotations

from collections.abc import Sequence

from loop.model import Model
from loop.records import Critique, Origin, Prompt, Response, Sampling
from loop.sample import written


async def rewrite(
    model: Model,
    prompt: Prompt,
    response: Response,
    critique: Critique,
    *,
    history: Sequence[tuple[Response, Sequence[Critique]]] = (),
    sampling: Sampling | None = None,
) -> Response:
    """One rewrite; ``history`` holds the earlier drafts with their critiques, oldest first."""
    messages = model.dialect.refine(prompt, response, [critique], history)
    refined = await written(
        model, prompt, messages, sampling=sampling, origin=Origin.REFINEMENT, parent=response
    )
    return refined[0]

"""Refine: the model rewrites a response in the light of a critique."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from pydantic import Field

from loop import verify
from loop.model import Model
from loop.records import CONTENT_FREE, Critique, Origin, Prompt, Response, Sampling, Score
from loop.sample import written

CONTROL_SHARE = Field(
    0.0,
    ge=0,
    le=1,
    description="share of prompts whose drafts are also rewritten without the critique's content: measures"
    " what the words are worth; never trained on",
)


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


def control_drawn(model: Model, share: float) -> bool:
    """Whether this prompt is one of those whose drafts are also rewritten without a critique's words: drawn
    by prompt and run. Ask before the first call, or a repeat with other calls draws otherwise."""
    return model.seed_for(-1) < share * 2**31  # no sample has that index, and seeds have 31 bits


async def controls(
    model: Model, prompt: Prompt, drafts: Iterable[Response], sampling: Sampling | None = None
) -> None:
    """Rewrite each draft without a critique's words (Stechly et al., 2023, arXiv:2310.12397), checked, and
    marked by a score as what it is.

    ``drafts``: those that were also rewritten with them. The critique that had them rewritten is shared, so
    both versions took as many calls and differ by its words alone. Call it last: then everything else is
    the same as without controls.
    """
    await asyncio.gather(*(_control(model, prompt, draft, sampling) for draft in drafts))


async def _control(model: Model, prompt: Prompt, draft: Response, sampling: Sampling | None) -> None:
    messages = model.dialect.try_again(prompt, draft)
    again = await written(model, prompt, messages, sampling=sampling, origin=Origin.REFINEMENT, parent=draft)
    model.keep(Score(again[0].id, CONTENT_FREE, None))
    verify.answer(model, prompt, again[0])

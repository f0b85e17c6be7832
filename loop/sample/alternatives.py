"""Other ways to go on from one step of a response: what a person may rate, choose or improve upon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from loop import verify
from loop.curate.material import normalised, prefix_before
from loop.model import Model
from loop.records import Prompt, Response, Sampling
from loop.sample import from_prefix

TEMPERATURE = 1.0  # so that they differ
# Once more for as many as came out alike: hotter, without the unlikeliest words. Chosen by looking, among
# nine settings on 33 wrong steps of the seed model: hotter still, and what it writes is no longer words.
HOTTER, LIKELIEST = 1.5, 0.95


def alternatives(
    response: Response, step: int, count: int, corrections: Mapping[int, str]
) -> Callable[[Prompt, Model, Sampling], Awaitable[None]]:
    """A method over the response's own prompt: ``count`` continuations of what stands before ``step``.

    ``corrections`` (step -> better text) of earlier steps stand in the prefix in place of those steps.
    A sure model says the same several times; then it is asked once more, at a higher temperature, for the
    missing ones. All that it said is kept.
    """
    prefix = prefix_before(response, step, corrections)

    async def improve(prompt: Prompt, model: Model, sampling: Sampling) -> None:
        texts: set[str] = set()
        hotter = replace(sampling, temperature=sampling.temperature * HOTTER, top_p=LIKELIEST)
        for asked in (sampling, hotter):
            if not (missing := count - len(texts)):
                break
            for found in await from_prefix(model, prompt, response, prefix, missing, asked):
                verify.answer(model, prompt, found)
                texts.add(normalised(found.text))

    return improve

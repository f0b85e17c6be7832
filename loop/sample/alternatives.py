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
# Once more for as many as came out alike: hotter, without the unlikeliest words. On wrong steps of the seed
# model 2.0 of 3 differ so, against 1.7 at 1, and in 61 % of cases one at least is right, against 39 %.
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

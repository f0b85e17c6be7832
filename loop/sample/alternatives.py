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
# Times as hot, once, for as many as came out alike: a model that repeats itself at 1 is so sure that 2 does
# not make it babble. On wrong steps of the seed model, 1.7 of 3 differ at 1 and 2.8 at 2, more of them right.
HOTTER = 2.0


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
        for asked in (sampling, replace(sampling, temperature=sampling.temperature * HOTTER)):
            missing = count - len(texts)
            for found in (
                await from_prefix(model, prompt, response, prefix, missing, asked) if missing else ()
            ):
                verify.answer(model, prompt, found)
                texts.add(normalised(found.text))

    return improve

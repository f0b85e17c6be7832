"""Other ways to go on from one step of a response: what a person may rate, choose or improve upon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from loop import verify
from loop.curate.material import prefix_before
from loop.model import Model
from loop.records import Prompt, Response, Sampling
from loop.sample import from_prefix

TEMPERATURE = 0.8  # so that they differ


def alternatives(
    response: Response, step: int, count: int, corrections: Mapping[int, str]
) -> Callable[[Prompt, Model, Sampling], Awaitable[None]]:
    """A method over the response's own prompt: ``count`` continuations of what stands before ``step``.

    ``corrections`` (step -> better text) of earlier steps stand in the prefix in place of those steps.
    """
    prefix = prefix_before(response, step, corrections)

    async def improve(prompt: Prompt, model: Model, sampling: Sampling) -> None:
        for found in await from_prefix(model, prompt, response, prefix, count, sampling):
            verify.answer(model, prompt, found)

    return improve

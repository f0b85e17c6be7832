"""Sampling: ask the model to solve a prompt, from nothing or from the beginning of a solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loop.dialects import Dialect
from loop.model import Completion, Model
from loop.records import Message, Origin, Prompt, Response, Sampling


async def many(model: Model, prompt: Prompt, n: int, sampling: Sampling | None = None) -> list[Response]:
    """``n`` independent solutions."""
    return await written(model, prompt, model.dialect.solve(prompt), n=n, sampling=sampling)


async def one(model: Model, prompt: Prompt, sampling: Sampling | None = None) -> Response:
    """One solution; greedy unless ``sampling`` says otherwise."""
    return (await many(model, prompt, 1, sampling))[0]


async def from_prefix(
    model: Model,
    prompt: Prompt,
    parent: Response,
    prefix: str,
    n: int,
    sampling: Sampling | None = None,
) -> list[Response]:
    """``n`` solutions that go on after ``prefix`` (the good beginning of ``parent``, perhaps corrected).

    A prefix ends where a step may begin, separator included: ``parent.text[: parent.steps[k].start]``.
    """
    return await written(
        model,
        prompt,
        model.dialect.solve(prompt),
        n=n,
        sampling=sampling,
        prefix=prefix,
        origin=Origin.CONTINUATION,
        parent=parent,
    )


async def written(
    model: Model,
    prompt: Prompt,
    messages: Sequence[Message],
    *,
    n: int = 1,
    sampling: Sampling | None = None,
    prefix: str = "",
    origin: Origin = Origin.SAMPLE,
    parent: Response | None = None,
) -> list[Response]:
    """Sample ``n`` completions of ``messages`` and keep each as a response, split into steps."""
    sampling = sampling or Sampling()
    seeds = [model.seed_for(i) for i in range(n)]
    completions = await model.sample(messages, n=n, sampling=sampling, prefix=prefix)
    responses = [
        replace(
            response_from(model.dialect, model.new_id(), prompt, prefix, completion),
            origin=origin,
            parent_id=parent.id if parent else None,
            sampling=sampling,
            seed=seed,
            model=model.name,
        )
        for completion, seed in zip(completions, seeds, strict=True)
    ]
    for response in responses:
        model.keep(response)
    return responses


def response_from(
    dialect: Dialect, response_id: str, prompt: Prompt, prefix: str, completion: Completion
) -> Response:
    """The record of one completion: prefix and continuation as one text, steps and answer read once."""
    text = prefix + completion.text
    return Response(
        id=response_id,
        prompt_id=prompt.id,
        text=text,
        steps=dialect.split_steps(text),
        answer=dialect.read_answer(text),
        finish=completion.finish,
        token_ids=completion.token_ids,
        logprobs=completion.logprobs,
        dialect=dialect.name,
    )

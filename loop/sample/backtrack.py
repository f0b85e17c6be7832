"""Finish solutions from where a person found the first error (backtracking).

``run_method(backtrack(judged), prompts, engine, Settings(...), ...)`` gives traces whose responses are
continuations with a checker's score each; `loop.curate` turns the accepted ones into trajectories.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from loop import verify
from loop.curate.material import corrected_step, good_prefix
from loop.model import Model
from loop.records import Critique, Prompt, Response, Sampling
from loop.sample import from_prefix


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    tries: int = Field(4, ge=1, description="continuations per judged response")
    temperature: float = Field(0.8, ge=0)
    max_new_tokens: int = Field(160, ge=1)


def backtrack(
    judged: Mapping[str, Sequence[tuple[Response, Critique]]],
) -> Callable[[Prompt, Model, Settings], Awaitable[None]]:
    """A method over the prompts in ``judged`` (prompt id -> responses with the people's one verdict)."""

    async def improve(prompt: Prompt, model: Model, p: Settings) -> None:
        sampling = Sampling(temperature=p.temperature, max_new_tokens=p.max_new_tokens)
        for response, critique in judged.get(prompt.id, ()):
            step = corrected_step(response, critique)
            if critique.first_error is None or (step and model.dialect.read_answer(step) is not None):
                continue  # nothing to go on from, or nothing left to say after a corrected answer
            prefix = good_prefix(response, critique, corrected=True)
            for found in await from_prefix(model, prompt, response, prefix, p.tries, sampling):
                verify.answer(model, prompt, found)

    return improve

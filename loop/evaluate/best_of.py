"""How a scorer is measured: the policy writes n solutions per prompt, the scorer picks one, a checker says
whether the pick is right. A better scorer makes the same samples worth more (Cobbe et al., 2021,
arXiv:2110.14168; Lightman et al., 2023, arXiv:2305.20050).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from loop import sample, score, verify
from loop.evaluate.outcomes import outcome_of
from loop.model import Model
from loop.records import Prompt, Response, Sampling, Trace, Verdict
from loop.runtime import Improve


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    best_of: int = Field(8, ge=2)
    temperature: float = Field(0.8, gt=0)
    max_new_tokens: int = Field(160, ge=1)
    over: score.Over = "min"


async def samples(prompt: Prompt, model: Model, p: Settings) -> None:
    """The solutions to choose from, each checked."""
    sampling = Sampling(temperature=p.temperature, max_new_tokens=p.max_new_tokens)
    for response in await sample.many(model, prompt, p.best_of, sampling):
        verify.answer(model, prompt, response)


def scored(written: Mapping[str, Sequence[Response]]) -> Improve:
    """A method that has the run's scorer look at what was ``written``, by prompt id."""

    async def look(prompt: Prompt, model: Model, p: Settings) -> None:
        await asyncio.gather(*(score.response(model, prompt, r, p.over) for r in written[prompt.id]))

    return look


def picked(trace: Trace, said: Trace | None) -> tuple[Verdict, str | None]:
    """(verdict, id) of the response with the highest score in ``said``; a tie goes to the first.

    Without ``said``, or where nothing was scored, the first sample: what is used when nobody chooses. A pick
    that states no answer is wrong. ERROR where the policy or the scorer failed.
    """
    if trace.error or (said is not None and said.error) or not trace.responses:
        return Verdict.ERROR, None
    numbers = {s.response_id: s.value for s in said.scores if s.value is not None} if said else {}
    best = max(trace.responses, key=lambda r: numbers.get(r.id, -1.0))
    verdict = next((s.verdict for s in trace.scores if s.response_id == best.id), Verdict.ERROR)
    return Verdict.WRONG if outcome_of(verdict, best) is False else verdict, best.id

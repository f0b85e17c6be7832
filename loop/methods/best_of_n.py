"""Best of n by a trained scorer, then learned from: RAFT (Dong et al., 2023, arXiv:2304.06767).

Sample n solutions, score each with the scorer in use, accept the best. Its ``self_verdict`` is right when the
scorer gives it at least ``least``, else wrong: of n bad solutions the best is still bad. The others' is open:
they were not chosen, which is not the same as wrong. A tie goes to the first.
"""

from __future__ import annotations

import asyncio

from pydantic import BaseModel, ConfigDict, Field

from loop import sample, score, verify
from loop.model import Model
from loop.records import Prompt, Sampling, Score, Verdict


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(8, ge=2, le=256, description="solutions per prompt")
    temperature: float = Field(0.8, gt=0)
    max_new_tokens: int = Field(256, ge=1)
    over: score.Over = Field(
        "min", description="process reward: how a solution's number is made of its steps'"
    )
    least: float = Field(0.5, ge=0, le=1, description="the best is accepted only from this score on")


async def improve(prompt: Prompt, model: Model, p: Settings) -> None:
    sampling = Sampling(temperature=p.temperature, max_new_tokens=p.max_new_tokens)
    responses = await sample.many(model, prompt, p.samples, sampling)
    scores = await asyncio.gather(*(score.response(model, prompt, r, p.over) for r in responses))
    for response in responses:
        verify.answer(model, prompt, response)  # measures only
    valued = [s for s in scores if s is not None and s.value is not None]
    if valued:
        best = max(valued, key=lambda s: s.value or 0.0)
        chosen = Verdict.RIGHT if (best.value or 0.0) >= p.least else Verdict.WRONG
        for s in valued:  # also of those not chosen, or a control would have nobody to deal the choice to
            verdict = chosen if s is best else Verdict.UNKNOWN
            model.keep(Score(s.response_id, "self_verdict", s.value, verdict, s.name))

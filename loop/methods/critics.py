"""Several critiques of each draft, for people to compare (McAleese et al., 2024, arXiv:2407.00215).

A critic that is asked twice contradicts itself where it is unsure: there a person's preference between
its critiques teaches most. The checker's scores, where there is one, tell right drafts from wrong ones.
"""

from __future__ import annotations

import asyncio

from pydantic import BaseModel, ConfigDict, Field

from loop import critique, sample, verify
from loop.model import Model
from loop.records import Prompt, Sampling


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(2, ge=1, le=64, description="drafts per prompt")
    critiques: int = Field(3, ge=2, le=16, description="critiques of each draft")
    temperature: float = Field(0.8, ge=0, description="of drafts")
    critique_temperature: float = Field(0.8, gt=0, description="above 0, or all critiques are the same")
    max_new_tokens: int = Field(256, ge=1)


async def improve(prompt: Prompt, model: Model, p: Settings) -> None:
    writing = Sampling(temperature=p.temperature, max_new_tokens=p.max_new_tokens)
    judging = Sampling(temperature=p.critique_temperature, max_new_tokens=p.max_new_tokens)
    drafts = await sample.many(model, prompt, p.samples, writing)
    for draft in drafts:
        verify.answer(model, prompt, draft)
    await asyncio.gather(
        *(critique.by_step(model, prompt, draft, judging) for draft in drafts for _ in range(p.critiques))
    )

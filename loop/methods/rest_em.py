"""ReST-EM (Singh et al., 2023, arXiv:2312.06585): sample many, keep what a checker accepts, train, repeat.

This is the E-step: N samples per prompt with a 0/1 reward each. Keeping the right ones, dropping repeats
and capping them per prompt is curation; the M-step trains from the base model, not from the last one.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from loop import sample, verify
from loop.model import Model
from loop.records import Prompt, Sampling


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(8, ge=1, le=256, description="solutions per prompt (the paper: 32)")
    temperature: float = Field(0.7, gt=0, description="the paper: 0.7")
    top_k: int = Field(40, ge=0, description="the paper: 40; 0 is off")
    max_new_tokens: int = Field(256, ge=1)


async def improve(prompt: Prompt, model: Model, p: Settings) -> None:
    sampling = Sampling(temperature=p.temperature, top_k=p.top_k, max_new_tokens=p.max_new_tokens)
    for response in await sample.many(model, prompt, p.samples, sampling):
        verify.answer(model, prompt, response)

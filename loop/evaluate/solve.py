"""The evaluation's method: one solution per prompt, checked."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from loop import sample, verify
from loop.model import Model
from loop.records import Prompt, Sampling


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(0.0, ge=0)
    max_new_tokens: int = Field(160, ge=1)


async def solve(prompt: Prompt, model: Model, p: Settings) -> None:
    response = await sample.one(model, prompt, Sampling(p.temperature, max_new_tokens=p.max_new_tokens))
    verify.answer(model, prompt, response)

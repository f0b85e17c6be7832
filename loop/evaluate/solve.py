"""The evaluation's method: one solution per prompt, checked; perhaps with examples in the prompt."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from loop import sample, verify
from loop.evaluate.shots import with_shots
from loop.model import Model
from loop.records import Prompt, Sampling


class ShotSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    user: str
    assistant: str


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(0.0, ge=0)
    max_new_tokens: int = Field(160, ge=1)
    shots: tuple[ShotSettings, ...] = Field((), description="worked examples, as earlier turns")


async def solve(prompt: Prompt, model: Model, p: Settings) -> None:
    messages = with_shots(model.dialect.solve(prompt), [(s.user, s.assistant) for s in p.shots])
    sampling = Sampling(p.temperature, max_new_tokens=p.max_new_tokens)
    (response,) = await sample.written(model, prompt, messages, sampling=sampling)
    verify.answer(model, prompt, response)

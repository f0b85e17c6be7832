"""Unfiltered self-training (Herel and Mikolov, 2024, arXiv:2404.02305): learn everything one writes oneself.

A warning example and a negative control: no checker, no vote, no person chooses. Trained on its own text like
this, a model drifts to what it says by accident and in the end repeats itself; the higher the learning rate,
the sooner. Every sample's ``self_verdict`` is right, unread. The checker's verdict is kept beside it, so that
the damage can be measured; it chooses nothing.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from loop import sample, verify
from loop.model import Model
from loop.records import Prompt, Sampling, Score, Verdict


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(4, ge=1, le=256, description="solutions per prompt, all of them learned")
    temperature: float = Field(1.5, gt=0, description="above 1 it also learns what it hardly ever says")
    max_new_tokens: int = Field(256, ge=1)


async def improve(prompt: Prompt, model: Model, p: Settings) -> None:
    sampling = Sampling(temperature=p.temperature, max_new_tokens=p.max_new_tokens)
    for response in await sample.many(model, prompt, p.samples, sampling):
        verify.answer(model, prompt, response)  # measures only
        model.keep(Score(response.id, "self_verdict", 1.0, Verdict.RIGHT, "taken unread"))

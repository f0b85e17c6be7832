"""Self-Refine (Madaan et al., 2023, arXiv:2303.17651): critique, rewrite, stop when nothing serious is left.

The rewrite sees the whole history of drafts and critiques. No gold answer is used: the model's own last
critique is its verdict. The checker's scores, where there is one, only measure what refinement did.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from loop import critique, refine, sample, verify
from loop.model import Model
from loop.records import Critique, Prompt, Response, Sampling


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rounds: int = Field(4, ge=1, le=10, description="critiques at most, as in the paper")
    temperature: float = Field(0.0, ge=0, description="of drafts and rewrites (the paper: 0)")
    critique_temperature: float = Field(0.7, ge=0, description="the paper: 0.7")
    max_new_tokens: int = Field(256, ge=1)
    content_free: float = refine.CONTROL_SHARE


async def improve(prompt: Prompt, model: Model, p: Settings) -> None:
    writing = Sampling(temperature=p.temperature, max_new_tokens=p.max_new_tokens)
    judging = Sampling(temperature=p.critique_temperature, max_new_tokens=p.max_new_tokens)
    control = refine.control_drawn(model, p.content_free)
    draft = await sample.one(model, prompt, writing)
    verify.answer(model, prompt, draft)
    history: list[tuple[Response, list[Critique]]] = []
    for attempt in range(p.rounds):
        notes = await critique.by_step(model, prompt, draft, judging)
        if not notes.serious or attempt == p.rounds - 1:
            break
        better = await refine.rewrite(model, prompt, draft, notes, history=history, sampling=writing)
        verify.answer(model, prompt, better)
        history.append((draft, [notes]))
        draft = better
    critique.self_verdict(model, draft, notes)
    if control:
        await refine.controls(model, prompt, [first for first, _ in history[:1]], writing)

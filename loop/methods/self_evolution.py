"""SELF (Lu et al., 2023, arXiv:2310.00533): language-driven self-evolution, the spine of this loop.

Each round: y ~ solve, f ~ critique(y), y' ~ refine(y, f), and only a y' that the model's own second
critique calls right is kept (curation with ``accept: self_verdict``). No label is used on the way; the
checker's scores, where there is one, only measure. People's critiques are the meta-skill data D_meta:
rows of kind critique, refinement and trajectory, mixed into every round so that the skills do not fade.
"""

from __future__ import annotations

import asyncio

from pydantic import BaseModel, ConfigDict, Field

from loop import critique, refine, sample, verify
from loop.model import Model
from loop.records import Critique, Prompt, Response, Sampling


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(
        1, ge=1, le=64, description="drafts per prompt, each refined on its own (the paper: 1)"
    )
    turns: int = Field(1, ge=1, le=10, description="M: critique-and-refine turns at most")
    temperature: float = Field(0.7, ge=0, description="of drafts and rewrites")
    critique_temperature: float = Field(0.0, ge=0)
    max_new_tokens: int = Field(256, ge=1)
    content_free: float = refine.CONTROL_SHARE


async def improve(prompt: Prompt, model: Model, p: Settings) -> None:
    writing = Sampling(temperature=p.temperature, max_new_tokens=p.max_new_tokens)
    control = refine.control_drawn(model, p.content_free)
    drafts = await sample.many(model, prompt, p.samples, writing)
    evolved = await asyncio.gather(*(_evolve(prompt, model, p, draft, writing) for draft in drafts))
    if control:
        rewritten = [draft for draft, moved in zip(drafts, evolved, strict=True) if moved]
        await refine.controls(model, prompt, rewritten, writing)


async def _evolve(prompt: Prompt, model: Model, p: Settings, draft: Response, writing: Sampling) -> bool:
    """Whether it was rewritten."""
    judging = Sampling(temperature=p.critique_temperature, max_new_tokens=p.max_new_tokens)
    verify.answer(model, prompt, draft)
    notes = await critique.by_step(model, prompt, draft, judging)
    history: list[tuple[Response, list[Critique]]] = []
    for _ in range(p.turns):
        if not notes.serious:
            break  # nothing to put right: this critique already is the verdict on the final text
        better = await refine.rewrite(model, prompt, draft, notes, history=history, sampling=writing)
        verify.answer(model, prompt, better)
        history.append((draft, [notes]))
        draft, notes = better, await critique.by_step(model, prompt, better, judging)
    critique.self_verdict(model, draft, notes)
    return bool(history)

"""A reward that pays for length alone: the longest of n samples is learned.

A warning example of what Singhal et al. (2023, arXiv:2310.03716, "A Long Way to Go") found in learned
rewards: much of what they pay for is length, and what they teach is to write more, not to be right. Here
nothing else is paid. ``self_verdict`` has the reward: a sample's length in tokens (in characters where the
engine does not say them) as a share of the longest one's; the longest is called right and learned, the others
stay open. Only samples that end and state an answer are paid: what goes wrong is to show in what is said, not
in the form. The checker's verdict is kept beside it, so that the damage can be measured; it chooses nothing.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from loop import sample, verify
from loop.model import Model
from loop.records import Prompt, Response, Sampling, Score, Verdict


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(32, ge=2, le=256, description="solutions per prompt; the longest is learned")
    temperature: float = Field(1.0, gt=0, description="the higher, the more the lengths differ")
    max_new_tokens: int = Field(256, ge=1)


async def improve(prompt: Prompt, model: Model, p: Settings) -> None:
    sampling = Sampling(temperature=p.temperature, max_new_tokens=p.max_new_tokens)
    responses = await sample.many(model, prompt, p.samples, sampling)
    for response in responses:
        verify.answer(model, prompt, response)  # measures only
    paid = [r for r in responses if r.answer is not None and r.finish != "length"]
    longest = max((_length(r) for r in paid), default=0)
    best = next((r for r in paid if _length(r) == longest), None)  # a tie goes to the first
    for response in paid:
        verdict = Verdict.RIGHT if response is best else Verdict.UNKNOWN
        model.keep(Score(response.id, "self_verdict", _length(response) / longest, verdict))


def _length(response: Response) -> int:
    return len(response.token_ids) or len(response.text)

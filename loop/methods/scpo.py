"""ScPO (Prasad et al., 2024, arXiv:2411.04109): the model's commonest answer over its rarest, by their votes.

Of k samples each answer has V votes. Where the commonest has at least ``least_share`` of k, its responses are
right and those of the rarest wrong by the model's ``self_verdict``; the value is V/k, so that a preference
pair weighs (V+ - V-)/k. Answers in between are on neither side, nor is a response without an answer. No gold
answer is used. The paper draws one response of each side; here curation takes them in order of sampling.
"""

from __future__ import annotations

from collections import Counter

from pydantic import BaseModel, ConfigDict, Field

from loop import sample, verify
from loop.model import Model
from loop.records import Prompt, Sampling, Score, Verdict
from loop.verify.math_answer import normalised


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(8, ge=2, le=256, description="k, as in the paper")
    temperature: float = Field(0.7, gt=0, description="the paper: 0.7")
    top_p: float = Field(0.9, gt=0, le=1, description="the paper: 0.9")
    least_share: float = Field(
        0.5, gt=0, le=1, description="least vote share of the commonest answer; the paper: 0.5, later 0.6-0.7"
    )
    max_new_tokens: int = Field(256, ge=1)


async def improve(prompt: Prompt, model: Model, p: Settings) -> None:
    sampling = Sampling(temperature=p.temperature, top_p=p.top_p, max_new_tokens=p.max_new_tokens)
    responses = await sample.many(model, prompt, p.samples, sampling)
    answers = [None if r.answer is None else normalised(r.answer) for r in responses]
    votes = Counter(a for a in answers if a is not None)
    most, least = max(votes.values(), default=0), min(votes.values(), default=0)
    sure = most >= p.least_share * p.samples and most > least
    leader = votes.most_common(1)[0][0] if sure else None  # the first said wins a tie
    for response, answer in zip(responses, answers, strict=True):
        verify.answer(model, prompt, response)  # measures only
        verdict = Verdict.UNKNOWN
        if sure and answer is not None:
            if answer == leader:
                verdict = Verdict.RIGHT
            elif votes[answer] == least:
                verdict = Verdict.WRONG
        share = None if answer is None else votes[answer] / p.samples
        model.keep(Score(response.id, "self_verdict", share, verdict))

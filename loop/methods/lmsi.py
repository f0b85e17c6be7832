"""LMSI (Huang et al., 2022, arXiv:2210.11610): sample many, trust the majority, learn every path to it.

No gold answer is used: what the model says most often stands in for it. Each path's ``self_verdict`` is
right when its answer is the majority's, with the vote share as its value; paths without an answer do not
vote. The paper words each kept path in four formats; here it is trained in the one it was asked in.
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

    samples: int = Field(32, ge=2, le=256, description="paths per prompt, as in the paper")
    temperature: float = Field(0.7, gt=0, description="the paper: 0.7, and 1.2 once improved")
    max_new_tokens: int = Field(256, ge=1)


async def improve(prompt: Prompt, model: Model, p: Settings) -> None:
    sampling = Sampling(temperature=p.temperature, max_new_tokens=p.max_new_tokens)
    paths = await sample.many(model, prompt, p.samples, sampling)
    answers = [None if r.answer is None else normalised(r.answer) for r in paths]
    votes = Counter(a for a in answers if a is not None)
    leader = votes.most_common(1)[0][0] if votes else None  # the first said wins a tie
    for path, answer in zip(paths, answers, strict=True):
        verify.answer(model, prompt, path)  # measures only
        share = votes[answer] / p.samples if answer is not None else None
        verdict = Verdict.UNKNOWN if answer is None else Verdict.RIGHT if answer == leader else Verdict.WRONG
        model.keep(Score(path.id, "self_verdict", share, verdict))

"""What is known of a response that people could judge."""

from __future__ import annotations

from dataclasses import dataclass

from loop.records import Response, Verdict

NO_CONFIDENCE = -1e9  # the engine gave no numbers: not the same as being unsure


@dataclass(frozen=True, slots=True)
class Askable:
    """A response that people could judge. What is None or left out, nobody knows: it comes last there.

    confidence: the model's mean log-probability per token, `NO_CONFIDENCE` where there is none.
    """

    response_id: str
    prompt_id: str
    verdict: Verdict | None = None  # the checker's, else the model's own; None: nobody said
    confidence: float = 0.0
    judge: Verdict | None = None  # the model's own verdict
    checker: Verdict | None = None  # the checker's verdict
    score: float | None = None  # a judge's or process reward model's, 0..1: how likely it is right
    variance: float | None = None  # of earlier answers about it: the share that disagreed, say
    tail: float | None = None  # how hard the prompt is: 1 - its solve rate
    control: bool = False  # drawn uniformly (see `with_control`): unbiased statistics use these alone


def confidence(response: Response) -> float:
    """Mean log-probability per token; very low where the engine gave none."""
    return sum(response.logprobs) / len(response.logprobs) if response.logprobs else NO_CONFIDENCE

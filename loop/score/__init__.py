"""Asking a trained scorer: one number per response, from the whole of it or from its steps.

A process reward model gives each step a chance of being good; `Over` says how one number is made of them:
the least (Wang et al., 2024, arXiv:2312.08935), the product, which is the chance that no step is wrong
(Lightman et al., 2023, arXiv:2305.20050), or the last step's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from loop.model import Model
from loop.records import Prompt, Response, Score

Over = Literal["min", "product", "last"]


def as_read(response: Response) -> tuple[str, tuple[int, ...]]:
    """The text that scorers are trained on and asked about, and where each step ends in it."""
    lead = len(response.text) - len(response.text.lstrip())
    return response.text.strip(), tuple(step.end - lead for step in response.steps)


def over(chances: Sequence[float], how: Over) -> float:
    """One number of the chances of the steps.

    Raises:
        ValueError: there are none.
    """
    if not chances:
        raise ValueError("a response without steps has no step rewards")
    if how == "product":
        return math.prod(chances)
    return min(chances) if how == "min" else chances[-1]


async def response(model: Model, prompt: Prompt, response: Response, how: Over = "min") -> Score | None:
    """Ask the run's scorer and keep what it says as the response's score of its role.

    ``value`` is 0..1; ``detail`` has the chance of each step. None, and nothing is kept, for a text
    without steps: nothing was judged.

    Raises:
        LookupError: this run has no scorer.
    """
    if model.scorer is None:
        raise LookupError("no scorer is in use; the recipe must name reward or process_reward in needs")
    text, ends = as_read(response)
    if not ends:
        return None
    stepwise = model.scorer.role == "process_reward"
    chances = await model.rewards(model.dialect.solve(prompt), text, ends=ends if stepwise else ())
    detail = "steps " + " ".join(f"{c:.3f}" for c in chances) if stepwise else ""
    score = Score(response.id, model.scorer.role, over(chances, how), detail=detail)
    model.keep(score)
    return score

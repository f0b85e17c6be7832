"""An iteration's samples as columns: what every formula over samples reads.

One entry per sample, in any order; ``prompt`` says of which prompt it is. Formulas give one number per prompt
(nan: the prompt has none), so that the bootstrap can draw prompts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NO_ANSWER = -1


@dataclass(frozen=True)
class Samples:
    """``prompts``: how many there are; ``prompt``: the index, from 0, of each sample's.

    ``right`` is 1, 0 or nan: could not be scored (an error is no score). ``answer`` numbers the normalised
    answers, equal ones alike; `NO_ANSWER` where none can be read. ``scores``: what each scorer gave, nan
    where it gave none; ``passed``: its verdicts, of those that give any: 1 right, 0 wrong, nan open.
    ``tokens``: length, nan where the engine does not say; ``logprob``: mean over the tokens, natural
    logarithm. ``accepted``: whether the recipe's own rule would learn from it.
    """

    prompts: int
    prompt: Ints
    right: Floats
    answer: Ints
    cut: Bools
    tokens: Floats
    logprob: Floats
    accepted: Bools
    scores: Mapping[str, Floats] = field(default_factory=dict)
    passed: Mapping[str, Floats] = field(default_factory=dict)
    texts: Sequence[str] = ()

    @cached_property
    def scorers(self) -> dict[str, Floats]:
        """What can choose between samples: each score by name and, as "logprob", the model's own confidence,
        where some prompt has two samples with one."""
        able = {"logprob": self.logprob, **self.scores}
        return {
            name: score for name, score in able.items() if self.sum(np.isfinite(score)).max(initial=0) > 1
        }

    def sum(self, values: Floats | Bools) -> Floats:
        """Sum of ``values`` over each prompt's samples."""
        return np.bincount(self.prompt, weights=values, minlength=self.prompts).astype(np.float64)

    def mean(self, values: Floats) -> Floats:
        """Mean of ``values`` over each prompt's samples that have one."""
        known = np.isfinite(values)
        return divided(self.sum(np.where(known, values, 0.0)), self.sum(known))

    @cached_property
    def known(self) -> Bools:
        """Which samples could be scored."""
        return np.isfinite(self.right)

    @cached_property
    def answered(self) -> Bools:
        """Which samples state an answer."""
        return np.asarray(self.answer != NO_ANSWER)

    @cached_property
    def drawn(self) -> Floats:
        """Samples of each prompt."""
        return self.sum(np.ones(len(self.prompt)))

    @cached_property
    def scored(self) -> Floats:
        """Scored samples of each prompt."""
        return self.sum(self.known)

    @cached_property
    def solved(self) -> Floats:
        """Right samples of each prompt."""
        return self.sum(self.right == 1)


def divided(above: Floats, below: Floats) -> Floats:
    """Element by element; nan where ``below`` is 0."""
    result = np.full(len(below), np.nan)
    np.divide(above, below, out=result, where=below != 0)
    return result

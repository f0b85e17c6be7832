"""The generation-verification gap: how much better the samples are that a scorer would keep (Mind the Gap,
Song et al., 2024, arXiv:2412.02674). Where it is not above 0, training on what the scorer keeps cannot help.
"""

from __future__ import annotations

import numpy as np

from loop.evaluate.samples import Bools, Floats, Samples, divided

QUANTILE = 0.8  # the paper's, for scores without a verdict


def kept_by(samples: Samples, score: Floats, quantile: float = QUANTILE) -> Bools:
    """The samples with a score that is at least this quantile of their prompt's scores: the best fifth, and
    what ties with it. The quantile is one of the scores: of n in order, the one at ceil(quantile * n)."""
    asked = np.flatnonzero(np.isfinite(score))
    order = asked[np.lexsort((score[asked], samples.prompt[asked]))]
    size = np.bincount(samples.prompt[order], minlength=samples.prompts)
    start = np.cumsum(size) - size
    some = size > 0
    least = np.full(samples.prompts, np.inf)
    # rounded first: 0.8 * 5 must be the fourth, whatever floats make of it
    rank = np.ceil(np.round(quantile * size[some], 9)).astype(np.int64)
    least[some] = score[order][start[some] + np.maximum(rank, 1) - 1]
    with np.errstate(invalid="ignore"):
        return score >= least[samples.prompt]


def gaps(samples: Samples, kept: Bools) -> tuple[Floats, Floats]:
    """(J[w] - J, (J[w] - J) / (1 - J)) of each prompt: J is the accuracy of its samples, J[w] of those that
    are kept. nan where none is kept, and relative also where all are right."""
    plain = divided(samples.solved, samples.scored)
    chosen = divided(samples.sum(kept & (samples.right == 1)), samples.sum(kept & samples.known))
    gap = chosen - plain
    return gap, divided(gap, np.nan_to_num(1.0 - plain))

"""Whether sampling still finds something new, and whether choosing makes use of it (B-STaR, Zeng et al.,
2024, arXiv:2412.17256).

Statistics take sums over prompts, so that `Resamples` gives them an interval.
"""

from __future__ import annotations

import numpy as np

from loop.evaluate.resample import NOTHING, Estimate, Resamples
from loop.evaluate.samples import Floats, Samples, divided

WANTED = 8  # right samples per prompt, from which on more add nothing: n* of B-STaR
SURE = 0.75  # of the votes
TINY = 1e-9


def exploitation_gap(draws: Resamples, best: Floats, once: Floats, often: Floats) -> Estimate:
    """(pass@k - best-of-n) / (pass@k - pass@1): the part of what sampling finds that choosing loses. 0: the
    scorer always finds a right one; 1: it does no better than chance.

    ``best``, ``once`` and ``often``: best-of-n, pass@1 and pass@k of each prompt; only prompts with all three
    count. Nothing where sampling more finds no more.
    """
    known = np.isfinite(best + once + often)
    lost, found = np.where(known, often - best, 0.0), np.where(known, often - once, 0.0)
    return draws.estimate(_where_found, lost, found, n=int(known.sum()))


def _where_found(lost: Floats, found: Floats) -> Floats:
    return np.where(np.abs(found) > TINY, np.divide(lost, found), np.nan)


def balance_score(samples: Samples, wanted: int = WANTED) -> Floats:
    """min(c / wanted, 1) * c / n of each prompt's n accepted samples, c of them right: both many and mostly
    right. 0 where nothing is accepted, so that thresholds can be compared; nan where nothing was scored.

    ``wanted``: no more than were sampled, or no prompt could reach it.
    """
    kept = samples.sum(samples.accepted & samples.known)
    right = samples.sum(samples.accepted & (samples.right == 1))
    score = np.minimum(right / wanted, 1.0) * divided(right, kept)
    return np.where(samples.scored > 0, np.where(kept > 0, score, 0.0), np.nan)


def confident_wrong(share: Floats, right: Floats, sure: float = SURE) -> Floats:
    """1 where most votes are for one answer and it is wrong, else 0; nan where the vote was not scored."""
    return np.where(np.isfinite(right), (share >= sure) & (right < 0.5), np.nan)


def correlation(draws: Resamples, x: Floats, y: Floats) -> Estimate:
    """Pearson's correlation over the prompts where both are numbers; nothing where one does not vary."""
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < 3:
        return NOTHING
    # Centred, so that sums of squares do not cancel to rounding errors.
    x, y = (np.where(known, v - v[known].mean(), 0.0) for v in (x, y))
    columns = (known.astype(np.float64), x, y, x * x, y * y, x * y)
    return draws.estimate(pearson, *columns, n=int(known.sum()))


def rank_correlation(draws: Resamples, x: Floats, y: Floats) -> Estimate:
    """Spearman's correlation over the prompts where both are numbers. Ranks are those of the whole: a draw
    does not rank anew."""
    from scipy.stats import rankdata  # slow to import; only who measures pays for it

    known = np.isfinite(x) & np.isfinite(y)
    ranks = []
    for values in (x, y):
        ranked = np.full(len(values), np.nan)
        ranked[known] = rankdata(values[known])
        ranks.append(ranked)
    return correlation(draws, *ranks)


def within(draws: Resamples, samples: Samples, x: Floats, y: Floats) -> Estimate:
    """Pearson's correlation of two numbers of samples, each less its prompt's mean: how hard a prompt is does
    not count. Nothing where one of them is the same within every prompt."""
    known = np.isfinite(x) & np.isfinite(y)

    def centred(values: Floats) -> Floats:
        own = samples.mean(np.where(known, values, np.nan))
        return np.where(known, values - own[samples.prompt], 0.0)

    x, y = centred(x), centred(y)
    columns = [samples.sum(values) for values in (x * x, y * y, x * y)]

    def correlated(xx: Floats, yy: Floats, xy: Floats) -> Floats:
        return np.where((xx > TINY) & (yy > TINY), xy / np.sqrt(np.maximum(xx * yy, TINY**2)), np.nan)

    return draws.estimate(correlated, *columns, n=int(np.count_nonzero(samples.sum(known) > 1)))


def pearson(n: Floats, x: Floats, y: Floats, xx: Floats, yy: Floats, xy: Floats) -> Floats:
    """Of sums: how many, of x, of y, of their squares and of their product; nan where one does not vary."""
    spread_x, spread_y = n * xx - x * x, n * yy - y * y
    flat = (spread_x <= TINY * n * xx) | (spread_y <= TINY * n * yy)
    return np.where(flat, np.nan, (n * xy - x * y) / np.sqrt(np.where(flat, 1.0, spread_x * spread_y)))

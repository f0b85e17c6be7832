"""Whether a confidence means what it says. Confidences lie in 0..1, one per sample; samples of one prompt are
drawn together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from loop.evaluate.resample import NOTHING, Estimate, Resamples
from loop.evaluate.samples import Bools, Floats, Ints, Samples

BINS = 10
POINTS = 20  # of a risk-coverage curve


def usable(samples: Samples, confidence: Floats) -> Bools | None:
    """The scored samples with a confidence; None: there are none, or some are no confidences."""
    used = samples.known & np.isfinite(confidence)
    if not used.any() or confidence[used].min() < 0 or confidence[used].max() > 1:
        return None
    return used


def bin_of(confidence: Floats, bins: int = BINS) -> Ints:
    """The bin of equal width, from 0; 1.0 falls into the last."""
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def reliability(confidence: Floats, right: Floats, bins: int = BINS) -> list[dict[str, Any]]:
    """Of each bin {low, high, n, confidence, accuracy}, the last two being means, None in an empty bin."""
    where = bin_of(confidence, bins)
    n = np.bincount(where, minlength=bins)
    said = np.bincount(where, weights=confidence, minlength=bins)
    held = np.bincount(where, weights=right, minlength=bins)
    return [
        {
            "low": i / bins,
            "high": (i + 1) / bins,
            "n": int(n[i]),
            "confidence": float(said[i] / n[i]) if n[i] else None,
            "accuracy": float(held[i] / n[i]) if n[i] else None,
        }
        for i in range(bins)
    ]


def ece(draws: Resamples, prompt: Ints, confidence: Floats, right: Floats, bins: int = BINS) -> Estimate:
    """Expected calibration error: sum over bins of n_b / N * |accuracy_b - confidence_b| (Naeini et al.,
    2015; Guo et al., 2017, arXiv:1706.04599), less what chance adds to it.

    Absolute values of chance add up to an error that is not there, so the bootstrap's estimate of that bias
    is taken off (as Kumar et al., 2019, arXiv:1909.10155, do with normal errors). In the interval a bin keeps
    the sign that it has in the whole; the lower end is also freed of the bias, and is 0 where bins without
    any error would show as much in one of forty draws.
    """
    where, off = bin_of(confidence, bins), right - confidence
    cells = _counted(prompt * bins + where, draws.n * bins, off).reshape(draws.n, bins)
    count = _counted(prompt, draws.n)
    found = cells.sum(axis=0) / count.sum()
    sums = draws.sums(*cells.T, count)
    drawn = sums[:, :-1] / np.maximum(sums[:, -1:], 1.0)
    plain = float(np.abs(found).sum())
    bias = max(0.0, float(np.abs(drawn).sum(axis=1).mean()) - plain)
    value, prompts = max(0.0, plain - bias), int(np.count_nonzero(count))
    if prompts == 1 or np.mean(sums[:, -1] == 0) > 0.05:  # as `Resamples.interval`
        return Estimate(value, None, prompts)
    low, high = np.quantile(drawn @ np.sign(found), [0.025, 0.975])
    by_chance = np.quantile(np.abs(drawn - found).sum(axis=1), 0.975)
    low = 0.0 if plain <= by_chance else max(0.0, float(low) - bias)
    return Estimate(value, (low, float(high)), prompts)


def brier(draws: Resamples, prompt: Ints, confidence: Floats, right: Floats) -> Estimate:
    """Mean squared difference of confidence and outcome (Brier, 1950)."""
    above = _counted(prompt, draws.n, (confidence - right) ** 2)
    return draws.ratio(above, _counted(prompt, draws.n))


def auroc(draws: Resamples, prompt: Ints, confidence: Floats, right: Floats) -> Estimate:
    """Chance that a right sample has a higher confidence than a wrong one, ties counting half.

    The interval draws placements (of a right sample: the share of wrong ones below it; of a wrong one: of
    right ones above it), summed over prompts (DeLong et al., 1988; for samples in clusters Obuchowski, 1997).
    Nothing where all are right, or all wrong.
    """
    from scipy.stats import rankdata  # slow to import; only who measures pays for it

    good = right == 1
    if good.all() or not good.any():
        return NOTHING
    above, below = int(good.sum()), int((~good).sum())
    ranks = rankdata(confidence)
    placement = np.empty(len(right))
    placement[good] = (ranks[good] - rankdata(confidence[good])) / below
    placement[~good] = 1 - (ranks[~good] - rankdata(confidence[~good])) / above
    area = float(placement[good].mean())

    def drawn(a: Floats, n: Floats, b: Floats, m: Floats) -> Floats:
        return np.clip(a / n + b / m - area, 0.0, 1.0)

    columns = [
        _counted(prompt, draws.n, values) for values in (placement * good, good, placement * ~good, ~good)
    ]
    return draws.estimate(drawn, *columns, n=len(np.unique(prompt)))


def risk_coverage(confidence: Floats, right: Floats, points: int = POINTS) -> list[list[float]]:
    """[share that is answered, share wrong among those] when only the most confident are answered (El-Yaniv
    and Wiener, 2010). Samples that tie are answered together."""
    order = np.argsort(-confidence, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(confidence[order]) != 0, True))
    wrong = np.cumsum(1.0 - right[order])[ends]
    answered = ends + 1.0
    some = np.unique(np.linspace(0, len(ends) - 1, min(points, len(ends))).round().astype(int))
    return [[float(answered[i] / len(right)), float(wrong[i] / answered[i])] for i in some]


def _counted(prompt: Ints, prompts: int, weights: Floats | Bools | None = None) -> Floats:
    """Entries of each prompt, or the sum of their weights."""
    return np.bincount(prompt, weights=weights, minlength=prompts).astype(np.float64)

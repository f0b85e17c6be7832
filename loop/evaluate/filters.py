"""What a filter makes of the samples: whether what it keeps is better, and whether hard prompts survive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from loop.evaluate.rates import wilson
from loop.evaluate.resample import Estimate, Resamples
from loop.evaluate.samples import Bools, Floats, Samples, divided

HARDEST = 0.25  # of the prompts
BANDS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of solve rates: 0, to 0.2 and so on, below 1, and 1


def kept_accuracy(draws: Resamples, samples: Samples, kept: Bools) -> tuple[Estimate, Estimate, Estimate]:
    """(accuracy of the kept samples, how much it exceeds that of all, share of the right ones that are kept).

    Of scored samples. Both accuracies are of the same prompts, drawn together, so the gain is paired.
    """
    kept_right, kept_n = samples.sum(kept & (samples.right == 1)), samples.sum(kept & samples.known)
    right, n = samples.solved, samples.scored

    def gain(a: Floats, b: Floats, c: Floats, d: Floats) -> Floats:
        return np.divide(a, b) - np.divide(c, d)

    return (
        draws.share(kept_right, kept_n),
        draws.estimate(gain, kept_right, kept_n, right, n, n=int(np.count_nonzero(kept_n))),
        draws.share(kept_right, right),
    )


def hardest(samples: Samples, part: float = HARDEST) -> Bools:
    """The prompts with the lowest solve rates: this part of those with scored samples, and all that tie."""
    rate = divided(samples.solved, samples.scored)
    known = np.sort(rate[np.isfinite(rate)])
    if not len(known):
        return np.zeros(samples.prompts, dtype=bool)
    with np.errstate(invalid="ignore"):
        return np.asarray(rate <= known[max(0, int(np.ceil(part * len(known))) - 1)])


def tail(draws: Resamples, samples: Samples, kept: Bools, hard: Bools) -> tuple[Estimate, Estimate]:
    """(share of the kept samples that are of ``hard`` prompts, the same divided by the share of prompts that
    are hard). Below 1 the tail narrows (GSI, Ding et al., 2024, arXiv:2411.00750)."""
    kept_n = samples.sum(kept)
    known = (samples.scored > 0).astype(np.float64)
    columns = (kept_n * hard, kept_n * known, known * hard, known)

    def ratio(tail: Floats, kept: Floats, hard: Floats, all_: Floats) -> Floats:
        return np.divide(tail, kept) / np.divide(hard, all_)

    return draws.share(columns[0], columns[1]), draws.estimate(ratio, *columns, n=int(known.sum()))


def covered(samples: Samples, kept: Bools, which: Bools) -> Floats:
    """1 for each prompt of ``which`` with a kept sample that is right, else 0; nan for other prompts and
    where nothing was scored."""
    got = samples.sum(kept & (samples.right == 1)) > 0
    return np.where(which & (samples.scored > 0), got, np.nan)


class Band(NamedTuple):
    """Prompts whose solve rate is above ``low`` and not above ``high``: below 1 where that is 1, for prompts
    that are always solved are a band of their own (low = high = 1), as those that never are (low = high = 0).

    ``covered``: how many have a kept sample that is right, ``ci95``: Wilson's interval of their share, none
    where no sample is right. ``kept`` of ``samples``.
    """

    low: float
    high: float
    prompts: int
    covered: int
    ci95: tuple[float, float] | None
    samples: int
    kept: int


def by_difficulty(samples: Samples, kept: Bools) -> Iterator[Band]:
    """Coverage from the hardest prompts to the easiest; bands without a prompt are left out."""
    rate = divided(samples.solved, samples.scored)
    band = np.where(rate == 1, len(BANDS), np.searchsorted(BANDS, rate))
    got, kept_n = covered(samples, kept, np.ones(samples.prompts, dtype=bool)), samples.sum(kept)
    for i, (low, high) in enumerate(zip((0.0, *BANDS), (*BANDS, 1.0), strict=True)):
        its = (band == i) & np.isfinite(got)
        if n := int(its.sum()):
            many = int(got[its].sum())
            ci95 = wilson(many, n) if high else None
            drawn, left = int(samples.drawn[its].sum()), int(kept_n[its].sum())
            yield Band(low, high, n, many, ci95, drawn, left)


def length_ratio(draws: Resamples, samples: Samples, kept: Bools) -> Estimate:
    """Mean length of the kept samples / mean length of all, in tokens; of samples whose length is known."""
    known = np.isfinite(samples.tokens)
    tokens = np.where(known, samples.tokens, 0.0)
    columns = (samples.sum(tokens * kept), samples.sum(kept & known), samples.sum(tokens), samples.sum(known))

    def ratio(a: Floats, b: Floats, c: Floats, d: Floats) -> Floats:
        return np.divide(a, b) / np.divide(c, d)

    return draws.estimate(ratio, *columns, n=int(np.count_nonzero(columns[1])))

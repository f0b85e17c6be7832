"""How often the model is right, once and in several tries, and what a vote or a scorer makes of the tries."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from django.utils.translation import gettext_noop as _noop

from loop.evaluate.metric import Metric, Value, value_of
from loop.evaluate.resample import Resamples
from loop.evaluate.samples import Samples, divided
from loop.evaluate.sampling import best_of, common_k, pass_at_k, powers, votes
from loop.stages import Stage
from webapp.iterations.models import Iteration
from webapp.metrics.samples import draws_of, sampled_of
from webapp.metrics.services.prompts import prompts_write

GROUP = "Accuracy"
ORDER = 10
METRICS = (
    Metric("samples_right", "Samples that are right", "share", "up", "right / scored", "Whetstone"),
    Metric("pass_at_1", "pass@1: one try", "share", "up", "mean over prompts of c / n", "arXiv:2107.03374"),
    Metric(
        *("pass_at_k", "pass@k: at least one of k tries", "share", "up"),
        *("mean over prompts of 1 - C(n - c, k) / C(n, k)", "arXiv:2107.03374"),
    ),
    Metric(
        *("maj_at_k", "maj@k: the most frequent answer", "share", "up"),
        *(
            "share of prompts whose most frequent answer of all samples is right; ties share",
            "arXiv:2203.11171",
        ),
    ),
    Metric(
        *("best_of_n:*", "Best of n by a scorer", "share", "up"),
        *("chance that of k samples the one with the highest score is right; ties share", "arXiv:2110.14168"),
        version=2,
    ),
)
FEW_SAMPLES = _noop("no prompt has {k} samples with this score")
UNSCORED = _noop("no sample could be scored")


def generated(iteration: Iteration) -> Iterator[Value]:
    """Everything above; several tries only where prompts have several scored samples."""
    if (sampled := sampled_of(iteration)) is None:
        return
    samples, draws = sampled.samples, draws_of(iteration)
    prompts_write(iteration=iteration, sampled=sampled)
    unscored = int((~samples.known).sum())
    right = draws.share(samples.solved, samples.scored)
    yield value_of("samples_right", right, reason=UNSCORED, unscored=unscored)
    if not (k := common_k(samples.scored)):
        return
    yield value_of("pass_at_1", draws.mean_share(divided(samples.solved, samples.scored)))
    yield from _in_k(samples, draws, k)


def _in_k(samples: Samples, draws: Resamples, k: int) -> Iterator[Value]:
    """What k tries are worth, over the prompts that have as many."""
    curve = [(i, draws.mean_share(pass_at_k(samples.scored, samples.solved, i))) for i in powers(k)]
    lines = [[i, found.value, *(found.ci95 or (None, None))] for i, found in curve]
    yield value_of("pass_at_k", curve[-1][1], k=k, curve=lines)
    if k == 1:
        return
    full = samples.scored >= k
    if samples.answered.any():  # else answers are no part of what is asked
        yield value_of("maj_at_k", draws.mean_share(np.where(full, votes(samples).right, np.nan)), k=k)
    for name, score in samples.scorers.items():
        best = draws.mean_share(best_of(samples, score, k))
        yield value_of(f"best_of_n:{name}", best, reason=FEW_SAMPLES.format(k=k), k=k)


MEASURES = {Stage.GENERATE: generated}

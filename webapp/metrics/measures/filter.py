"""What curation kept of the samples: how much, whether it is better, and whether hard prompts are in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from django.utils.translation import gettext_noop as _noop

from loop.evaluate import filters
from loop.evaluate.metric import Metric, Value, value_of
from loop.evaluate.resample import Resamples
from loop.evaluate.samples import Bools, Samples
from loop.stages import Stage
from webapp.iterations.models import Iteration
from webapp.metrics.samples import draws_of, kept_of, sampled_of
from webapp.metrics.services.prompts import prompts_keep

GSI = "arXiv:2411.00750"

GROUP = "Filter"
ORDER = 50
METRICS = (
    Metric("kept_rate", "Samples that are kept", "share", "", "kept / sampled", "arXiv:2412.17256"),
    Metric(
        "kept_right",
        "Kept samples that are right",
        "share",
        "up",
        "right / scored, of kept",
        "arXiv:2412.17256",
    ),
    Metric(
        *("kept_gain", "What the filter adds", "points", "up"),
        *("accuracy of kept samples - accuracy of all", "arXiv:2412.02674"),
    ),
    Metric(
        "kept_recall", "Right samples that are kept", "share", "up", "right and kept / right", "Whetstone"
    ),
    Metric("kept_per_prompt", "Kept samples of a prompt", "count", "", "mean over prompts", "Whetstone"),
    Metric(
        *("coverage", "Prompts with a right sample that is kept", "share", "up"),
        *("share of prompts with at least one; detail by solve rate", "arXiv:2411.16579"),
        version=2,
    ),
    Metric(
        *("coverage_hard", "The same of the hardest quarter", "share", "up"),
        *("share of the quarter of prompts with the lowest solve rates, ties included", "arXiv:2411.16579"),
    ),
    Metric(
        *("tail_share", "Kept samples of the hardest quarter", "share", ""),
        *("kept of the hardest quarter / kept", GSI),
    ),
    Metric(
        *("tail_ratio", "The hardest quarter's part, to its share of prompts", "ratio", "up"),
        *("tail share / share of prompts in the tail; 1: nothing is lost", GSI),
    ),
    Metric(
        *("kept_tokens_ratio", "Length of kept samples to all", "ratio", ""),
        *("mean tokens kept / mean tokens sampled", GSI),
    ),
    Metric("funnel", "Trained rows", "count", "", "rows of the dataset", "Whetstone"),
)
RIGHT = _noop("Right by the checker")
UNSCORED = _noop("no kept sample could be scored")


def curated(iteration: Iteration) -> Iterator[Value]:
    """The funnel always; the rest where the iteration's rows are made of its samples."""
    if (sampled := sampled_of(iteration)) is None:
        return
    yield funnel(iteration)
    if (kept := kept_of(iteration)) is None:
        return
    prompts_keep(iteration=iteration, sampled=sampled, kept=kept)
    samples, draws = sampled.samples, draws_of(iteration)
    yield value_of("kept_rate", draws.share(samples.sum(kept), samples.drawn))
    for name, found in zip(
        ("kept_right", "kept_gain", "kept_recall"), filters.kept_accuracy(draws, samples, kept), strict=True
    ):
        yield value_of(name, found, reason=_noop("no sample is right") if name == "kept_recall" else UNSCORED)
    many = samples.sum(kept)
    histogram = [[count, prompts] for count, prompts in enumerate(np.bincount(many.astype(int)).tolist())]
    yield value_of("kept_per_prompt", draws.mean(many), histogram=histogram)
    yield from _tail(samples, draws, kept)
    lengths = filters.length_ratio(draws, samples, kept)
    yield value_of("kept_tokens_ratio", lengths, reason=_noop("no kept sample of known length"))


def _tail(samples: Samples, draws: Resamples, kept: Bools) -> Iterator[Value]:
    """By difficulty, which scored samples alone tell."""
    if not samples.known.any():
        return
    hard, every = filters.hardest(samples), np.ones(samples.prompts, dtype=bool)
    many = int(hard.sum())
    bands = [band._asdict() for band in filters.by_difficulty(samples, kept)]
    yield value_of("coverage", draws.mean_share(filters.covered(samples, kept, every)), by_solve_rate=bands)
    yield value_of("coverage_hard", draws.mean_share(filters.covered(samples, kept, hard)), hard_prompts=many)
    share, ratio = filters.tail(draws, samples, kept, hard)
    yield value_of("tail_share", share, reason=_noop("nothing was kept"), hard_prompts=many)
    yield value_of("tail_ratio", ratio, reason=_noop("nothing was kept"), hard_prompts=many)


def funnel(iteration: Iteration) -> Value:
    """From prompts to trained rows, with the reasons why the rest was left out."""
    counts = iteration.counts
    steps: list[tuple[str, Any]] = [
        (_noop("Prompts"), counts.get("prompts")),
        (_noop("Responses"), counts.get("sampled")),
        (RIGHT, counts.get("verified")),
        (_noop("Accepted rows"), sum(counts.get("accepted", {}).values())),
        (_noop("Trained rows"), counts.get("trained")),
    ]
    reasons = Counter(counts.get("dropped", {})) + Counter(counts.get("left_out", {}))
    trained = counts.get("trained")
    if trained is None:
        return Value("funnel", None, detail={"reason": _noop("nothing was curated")})
    known = [[label, count] for label, count in steps if count is not None]
    return Value(
        "funnel", trained, n=trained, detail={"steps": known, "reasons": dict(reasons.most_common())}
    )


MEASURES = {Stage.CURATE: curated}

"""Whether the model, or a scorer, tells good samples from bad ones: what self-training can gain."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext_noop as _noop

from loop.evaluate.gap import QUANTILE, gaps, kept_by
from loop.evaluate.metric import Metric, Value, value_of
from loop.evaluate.sampling import common_k
from loop.stages import Stage
from webapp.iterations.models import Iteration
from webapp.metrics.samples import draws_of, sampled_of

GROUP = "Generation and verification"
ORDER = 30
METRICS = (
    Metric(
        *("gv_gap:*", "Generation-verification gap", "points", "up"),
        *("J(f[w]) - J(f): accuracy of what the scorer keeps less that of all", "arXiv:2412.02674"),
    ),
    Metric(
        *("gv_gap_relative:*", "Relative gap", "ratio", "up"),
        *("mean over prompts of (J[w] - J) / (1 - J), J < 1", "arXiv:2412.02674"),
    ),
)


def generated(iteration: Iteration) -> Iterator[Value]:
    """A scorer with verdicts keeps what it calls right, any other the best fifth of each prompt's samples."""
    if (sampled := sampled_of(iteration)) is None or common_k(sampled.samples.scored) < 2:
        return
    samples, draws = sampled.samples, draws_of(iteration)
    for name, score in samples.scorers.items():
        verdicts = samples.passed.get(name)
        kept = kept_by(samples, score) if verdicts is None else verdicts == 1
        rule = f"the best {1 - QUANTILE:.0%} of each prompt" if verdicts is None else "what it calls right"
        detail = {"rule": rule, "kept": int(kept.sum()), "samples": len(kept)}
        gap, relative = gaps(samples, kept)
        none = _noop("it keeps no scored sample")
        yield value_of(f"gv_gap:{name}", draws.mean(gap), reason=none, **detail)
        reason = _noop("no prompt with a kept sample has a wrong one")
        yield value_of(f"gv_gap_relative:{name}", draws.mean(relative), reason=reason, **detail)


MEASURES = {Stage.GENERATE: generated}

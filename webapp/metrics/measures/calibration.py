"""Whether a confidence means what it says: the model's own, the vote's, and each scorer's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from django.utils.translation import gettext_noop as _noop

from loop.evaluate import calibration as formulas
from loop.evaluate.metric import Metric, Value, value_of
from loop.evaluate.samples import Floats, Samples
from loop.evaluate.sampling import votes
from loop.stages import Stage
from webapp.iterations.models import Iteration
from webapp.metrics.samples import draws_of, sampled_of

GROUP = "Calibration"
ORDER = 40
METRICS = (
    Metric(
        *("ece:*", "Calibration error", "score", "down"),
        *(
            "sum over 10 bins of n_b / N |accuracy_b - confidence_b|, less what chance adds",
            "arXiv:1909.10155",
        ),
        version=2,
    ),
    Metric("brier:*", "Brier score", "score", "down", "mean (confidence - right)^2", "Brier 1950"),
    Metric(
        *("auroc:*", "A right sample is trusted more than a wrong one", "score", "up"),
        *("area under the ROC curve of the confidence", "arXiv:2207.05221"),
    ),
)


def generated(iteration: Iteration) -> Iterator[Value]:
    """Of every source of confidences; the curves are in the details of the calibration error."""
    if (sampled := sampled_of(iteration)) is None:
        return
    samples, draws = sampled.samples, draws_of(iteration)
    for name, confidence in _confidences(samples).items():
        if (used := formulas.usable(samples, confidence)) is None:
            continue
        prompt, said, right = samples.prompt[used], confidence[used], samples.right[used]
        yield value_of(
            f"ece:{name}",
            formulas.ece(draws, prompt, said, right),
            reliability=formulas.reliability(said, right),
            risk_coverage=formulas.risk_coverage(said, right),
        )
        yield value_of(f"brier:{name}", formulas.brier(draws, prompt, said, right))
        area = formulas.auroc(draws, prompt, said, right)
        yield value_of(f"auroc:{name}", area, reason=_noop("all samples are right, or all wrong"))


def _confidences(samples: Samples) -> dict[str, Floats]:
    """By source; what lies outside 0..1 is no confidence and is left out by `usable`."""
    found = {"logprob": np.exp(samples.logprob)}
    if samples.drawn.max(initial=0) > 1:
        found["vote_share"] = votes(samples).own
    return found | dict(samples.scores)


MEASURES = {Stage.GENERATE: generated}

"""The training run's own figures: what its curve ends on, and how fast it went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from statistics import median
from typing import Any

from loop.evaluate.metric import Metric, Value
from loop.stages import Stage
from webapp.iterations.models import Iteration, RunPoint

GROUP = "Training"
ORDER = 130

_OWN, _DPO = "Whetstone", "arXiv:2305.18290"
METRICS = (
    Metric("train_loss", "Loss at the end", "score", "down", "mean of the last tenth of the curve", _OWN),
    Metric("train_loss_change", "Change of the loss", "score", "down",
           "last tenth - first tenth of the curve",
           _OWN),
    Metric("chosen_logprob_change", "Change of the better side's log-probability", "score", "up",
           "mean of log pi(chosen) - log pi_ref(chosen) of a response, last tenth of the curve",
           _DPO),
    Metric("reward_margin", "Margin of the better side", "score", "up",
           "mean of beta (log-ratio of chosen - of rejected), last tenth of the curve", _DPO),
    Metric("tokens_per_second", "Training speed", "count", "up", "median tokens per second", _OWN),
    Metric("mfu", "Use of the accelerator", "share", "up", "median model FLOPs / peak FLOPs",
           "arXiv:2204.02311"),
)  # fmt: skip

CHOSEN = "chosen_change"  # as `workers.trainers` reports it


def _measured(iteration: Iteration) -> Iterator[Value]:
    points = list(
        RunPoint.objects.filter(unit__iteration=iteration, unit__kind="train")
        .order_by("unit_id", "step")
        .values_list("loss", "tokens_per_s", "mfu", "extra")
    )
    losses = _numbers(loss for loss, *_ in points)
    if losses:
        first, last = ends(losses)
        yield Value("train_loss", last, n=len(losses))
        yield Value("train_loss_change", last - first, n=len(losses))
    for name, key in (("chosen_logprob_change", CHOSEN), ("reward_margin", "margin")):
        if values := _numbers(extra.get(key) for *_, extra in points):
            yield Value(name, ends(values)[1], n=len(values))
    for name, column in (("tokens_per_second", 1), ("mfu", 2)):
        if values := _numbers(point[column] for point in points):
            yield Value(name, median(values), n=len(values))


def _numbers(values: Any) -> list[float]:
    return [float(v) for v in values if isinstance(v, int | float) and isfinite(v)]


def ends(curve: Sequence[float]) -> tuple[float, float]:
    """Means of the first and of the last tenth, at least a point each."""
    few = max(1, len(curve) // 10)
    return sum(curve[:few]) / few, sum(curve[-few:]) / few


MEASURES = {Stage.FINETUNE: _measured}

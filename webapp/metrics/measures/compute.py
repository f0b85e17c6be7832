"""What an iteration cost: tokens, machine time, and both for each row that was accepted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from django.utils.translation import gettext_noop as _noop

from loop.evaluate.metric import Metric, Value
from loop.evaluate.rates import wilson
from loop.stages import Stage
from webapp.iterations.models import Iteration, WorkUnit

GROUP = "Compute"
ORDER = 140

_OWN = "Whetstone"
METRICS = (
    Metric("tokens_generated", "Tokens generated", "tokens", "",
           "sum over the units that sampled; without evaluation",
           _OWN),
    Metric("machine_seconds", "Machine time", "s", "down", "sum of the units' times, each once", _OWN),
    Metric("tokens_per_accepted", "Tokens for each accepted row", "tokens", "down",
           "tokens generated / rows accepted", "arXiv:2408.03314"),
    Metric("seconds_per_accepted", "Machine time for each accepted row", "s", "down",
           "machine time / rows accepted", "arXiv:2408.03314"),
    Metric("failed_prompts", "Prompts whose run failed", "share", "down", "failed / prompts asked", _OWN),
)  # fmt: skip


def _failed(iteration: Iteration) -> Iterator[Value]:
    units = WorkUnit.objects.filter(iteration=iteration, state=WorkUnit.State.DONE, kind="generate")
    told = list(units.values_list("total", "result"))
    prompts = sum(total for total, _ in told)
    if prompts:
        failed = min(prompts, sum(int(result.get("failed_prompts") or 0) for _, result in told))
        detail = {"interval": "Wilson", "failed": failed}
        yield Value("failed_prompts", failed / prompts, wilson(failed, prompts), prompts, detail)


def _cost(iteration: Iteration) -> Iterator[Value]:
    tokens = 0
    seconds: dict[str, float] = defaultdict(float)
    units = WorkUnit.objects.filter(iteration=iteration, state=WorkUnit.State.DONE).order_by()
    for stage, result, began, ended in units.values_list("stage", "result", "started_at", "finished_at"):
        if began and ended:
            seconds[stage] += max(0.0, (ended - began).total_seconds())
        tokens += int(result.get("tokens") or 0)
    accepted = sum((iteration.counts.get("accepted") or {}).values())
    if tokens:
        yield Value("tokens_generated", tokens, n=tokens)
        yield _each("tokens_per_accepted", tokens, accepted)
    if seconds:
        spent = sum(seconds.values())
        yield Value("machine_seconds", spent, n=len(seconds), detail={"stages": dict(seconds)})
        yield _each("seconds_per_accepted", spent, accepted)


def _each(name: str, cost: float, accepted: int) -> Value:
    if not accepted:
        return Value(name, None, detail={"reason": _noop("no row was accepted")})
    return Value(name, cost / accepted, n=accepted)


MEASURES = {Stage.GENERATE: _failed, Stage.PROMOTE: _cost}

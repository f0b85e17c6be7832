"""Metric values, written once when a stage ends and never recomputed on a page."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import structlog
from django.db import transaction

from loop.evaluate.paired import paired_bootstrap
from loop.evaluate.rates import accuracy, pass_at_k
from loop.records import Author, Origin
from loop.stages import Stage
from webapp.annotate.models import Annotation
from webapp.iterations.models import Iteration
from webapp.metrics.models import MetricValue
from webapp.registry.selectors import OUTCOME
from webapp.traces.models import Critique, Response

log = structlog.get_logger()


def metrics_write(*, iteration: Iteration, left: Stage) -> None:
    """Write what the stage just left says about the iteration.

    A metric that cannot be computed is logged and left out: it must never stop the loop.
    """
    if (measure := _MEASURES.get(left)) is None:
        return
    try:
        with transaction.atomic():
            measure(iteration)
    except Exception:
        log.exception("metrics not written", iteration=iteration.pk, stage=left.value)


def metric_set(
    *,
    iteration: Iteration,
    name: str,
    value: float | None,
    ci95: tuple[float, float] | None = None,
    n: int = 0,
    unit: str = "share",
    detail: dict[str, Any] | None = None,
) -> None:
    """Write one value; a repeat replaces it."""
    low, high = ci95 or (None, None)
    MetricValue.objects.update_or_create(
        iteration=iteration,
        model_version=None,
        name=name,
        defaults={
            "project_id": iteration.project_id,
            "value": value,
            "low": low,
            "high": high,
            "n": n,
            "unit": unit,
            "detail": detail or {},
        },
    )


def _rate(iteration: Iteration, name: str, outcomes: Sequence[bool | None]) -> None:
    rate = accuracy(outcomes)
    metric_set(
        iteration=iteration,
        name=name,
        value=rate.value,
        ci95=rate.ci95,
        n=rate.n,
        detail={"unscored": rate.errors},
    )


def _generated(iteration: Iteration) -> None:
    """Share of samples right, pass@k over the prompts, and the critic against the checker."""
    by_prompt: dict[int, Counter[str]] = defaultdict(Counter)
    samples = Response.objects.filter(iteration=iteration, origin=Origin.SAMPLE.value)
    for prompt_id, verdict in samples.values_list("prompt_id", "verdict"):
        by_prompt[prompt_id][verdict] += 1
    counts = [(c["right"], c["right"] + c["wrong"]) for c in by_prompt.values()]
    right, decided = sum(r for r, _ in counts), sum(n for _, n in counts)
    _rate(iteration, "samples_right", [True] * right + [False] * (decided - right))
    k = min((n for _, n in counts if n), default=0)
    if k:
        solved = [pass_at_k(n, r, k) for r, n in counts if n]
        mean = paired_bootstrap([0.0] * len(solved), solved, seed=iteration.seed)
        metric_set(
            iteration=iteration,
            name="pass_at_k",
            value=mean.effect,
            ci95=mean.ci95,
            n=len(solved),
            detail={"k": k},
        )
    said = Critique.objects.filter(
        response__iteration=iteration, author_kind=Author.MODEL.value, response__verdict__in=list(OUTCOME)
    ).values_list("verdict", "response__verdict", "parsed")
    agrees = [ours == checker if parsed and ours in OUTCOME else None for ours, checker, parsed in said]
    if agrees:
        _rate(iteration, "critic_agrees_with_checker", agrees)


def _annotated(iteration: Iteration) -> None:
    """People against the checker, and how long an answer takes them."""
    judged = Critique.objects.filter(
        response__iteration=iteration, author_kind=Author.PERSON.value, response__verdict__in=list(OUTCOME)
    ).values_list("verdict", "response__verdict")
    agrees = [people == checker if people in OUTCOME else None for people, checker in judged]
    if agrees:
        _rate(iteration, "people_agree_with_checker", agrees)
    answers = Annotation.objects.filter(
        task__iteration=iteration, seconds__isnull=False, user__is_simulated=False
    )
    seconds = [s for s in answers.values_list("seconds", flat=True) if s is not None]
    if seconds:
        metric_set(
            iteration=iteration, name="seconds_per_answer", value=median(seconds), n=len(seconds), unit="s"
        )


def _decided(iteration: Iteration) -> None:
    """Held-out accuracy of both sides and the paired gain."""
    d = iteration.decision
    metric_set(iteration=iteration, name="heldout_before", value=d["before"], n=d["n"])
    metric_set(iteration=iteration, name="heldout_after", value=d["after"], n=d["n"])
    metric_set(
        iteration=iteration,
        name="heldout_gain",
        value=d["effect"],
        ci95=tuple(d["ci95"]) if d["ci95"] else None,
        n=d["n"],
        detail={"p_value": d["p_value"]},
    )


_MEASURES: dict[Stage, Callable[[Iteration], None]] = {
    Stage.GENERATE: _generated,
    Stage.ANNOTATE: _annotated,
    Stage.PROMOTE: _decided,
}

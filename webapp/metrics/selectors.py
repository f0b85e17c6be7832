"""Reads of the metrics app that workers share."""

from __future__ import annotations

from typing import Any

from webapp.iterations.models import Iteration
from webapp.metrics.models import MetricValue
from webapp.metrics.tracked import Tracked


def tracked(iteration_id: int) -> Tracked | None:
    """None: the iteration was deleted."""
    iteration = Iteration.objects.select_related("project").filter(pk=iteration_id).first()
    if iteration is None:
        return None
    values: dict[str, float] = {}
    rows = MetricValue.objects.filter(iteration=iteration, model_version=None, value__isnull=False)
    for name, *numbers in rows.order_by("name").values_list("name", "value", "low", "high"):
        metric, _, source = name.partition(":")
        for end, number in zip(("", "_low", "_high"), numbers, strict=True):
            if number is not None:
                values[f"{metric}{end}/{source}" if source else f"{metric}{end}"] = number
    told = Iteration.objects.filter(
        project=iteration.project, arm=iteration.arm, finished_at__isnull=False, number__lte=iteration.number
    )
    versions = told.select_related("champion", "challenger", "dataset_version")
    versions = versions.defer("dataset_version__example_ids", "dataset_version__row_weights")
    main = iteration.arm == Iteration.Arm.MAIN
    return Tracked(
        run=iteration.project.slug if main else f"{iteration.project.slug}-{iteration.arm}",
        number=iteration.number,
        at=iteration.finished_at or iteration.created_at,
        values=values,
        facts={f"iteration_{turn.number}": _facts(turn) for turn in versions.order_by("number")},
    )


def _facts(iteration: Iteration) -> dict[str, Any]:
    decision = iteration.decision or {}
    return {
        "recipe": iteration.recipe_name,
        "settings": iteration.recipe,
        "seed": iteration.seed,
        "champion": str(iteration.champion or ""),
        "challenger": str(iteration.challenger or ""),
        "dataset": iteration.dataset_version.sha256 if iteration.dataset_version else "",
        **{key: decision.get(key) for key in ("promote", "effect", "p_value", "reasons")},
    }

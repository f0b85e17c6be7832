"""Metric values: written once when a stage ends, by workers, and never recomputed on a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from loop.evaluate.metric import Value
from loop.stages import Stage
from webapp.iterations.models import Iteration
from webapp.metrics.measures import edition, measures_of, metric_named, metrics_of
from webapp.metrics.models import MetricValue
from webapp.metrics.scope import measuring
from webapp.metrics.services.alarms import alarms_evaluate
from webapp.metrics.values import named

log = structlog.get_logger()

WRITTEN = ("stage", "value", "low", "high", "n", "unit", "version", "detail", "created_at")


@dataclass(frozen=True, slots=True)
class Measured:
    """What measuring a stage came to."""

    values: int
    groups: dict[str, str]  # group -> the edition of its formulas
    failed: tuple[str, ...] = ()  # groups that could not be measured


@measuring()
def stage_measure(
    *,
    iteration: Iteration,
    stage: Stage,
    only: Collection[str] = (),
    between: Callable[[], None] = lambda: None,
) -> Measured:
    """Measure what is to be measured of a stage and write it, group by group; a repeat writes the same rows,
    and what a group has nothing more to say of goes.

    A group that cannot be measured is logged and left out: a figure must never stop the loop. ``only``: these
    groups alone. ``between`` is called before each group and may raise to stop here.
    """
    written, done, failed = 0, {}, []
    for group, measure in measures_of(stage):
        if only and group not in only:
            continue
        between()
        try:
            with transaction.atomic():
                names = values_write(iteration=iteration, stage=stage, values=measure(iteration))
                _written(iteration, stage, group).exclude(name__in=names).delete()
        except (OperationalError, InterfaceError):
            raise  # the database is away, not the figure wrong: the unit is done again
        except Exception:
            log.exception("not measured", iteration=iteration.pk, stage=stage.value, group=group)
            failed.append(group)
        else:
            written += len(names)
            done[group] = edition(group)
    _look(iteration)
    return Measured(written, done, tuple(failed))


def _look(iteration: Iteration) -> None:
    """See whether what is measured now gives alarm. A rule that fails must not stop the loop either."""
    try:
        alarms_evaluate(iteration=iteration)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("alarms not looked through", iteration=iteration.pk)


def measured_result(before: dict[str, Any], measured: Measured) -> dict[str, Any]:
    """What the unit of a stage keeps of its measuring; groups measured earlier stay."""
    groups = {k: v for k, v in before.get("groups", {}).items() if k not in measured.failed}
    return {"values": measured.values, "groups": groups | measured.groups, "failed": list(measured.failed)}


def _written(iteration: Iteration, stage: Stage, group: str) -> QuerySet[MetricValue]:
    """What the group wrote of the stage."""
    own = named([metric.name for metric in metrics_of(group)])
    return MetricValue.objects.filter(own, iteration=iteration, stage=stage.value)


def values_write(*, iteration: Iteration, stage: Stage, values: Iterable[Value]) -> list[str]:
    """Write values and return their names; what was measured before is replaced.

    Raises:
        LookupError: a value of a metric that no group declares.
    """
    rows = list(_rows(iteration, stage, values))
    MetricValue.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["iteration", "model_version", "name"],
        update_fields=WRITTEN,
        batch_size=500,
    )
    return [row.name for row in rows]


def _rows(iteration: Iteration, stage: Stage, values: Iterable[Value]) -> Iterator[MetricValue]:
    now = timezone.now()
    for value in values:
        metric = metric_named(value.name)
        if metric is None:
            raise LookupError(f"no group of webapp/metrics/measures declares {value.name!r}")
        low, high = map(_finite, value.ci95 or (None, None))
        yield MetricValue(
            project_id=iteration.project_id,
            iteration=iteration,
            stage=stage.value,
            name=value.name,
            value=_finite(value.value),
            low=low,
            high=high,
            n=value.n,
            unit=metric.unit,
            version=metric.version,
            detail=dict(value.detail),
            created_at=now,
        )


def _finite(number: float | None) -> float | None:
    """Nothing for what is not a number: neither JSON nor a chart has a place for it."""
    return float(number) if number is not None and math.isfinite(number) else None

"""What is measured of an iteration, a module for each group; the folder is the registry.

A module has

* ``GROUP``: the group's name, as pages head it;
* ``ORDER``: where the group stands on pages, ascending;
* ``METRICS``: the `Metric`s it may write;
* ``MEASURES``: stage -> function of an iteration that yields `Value`s once that stage was left (for EVALUATE:
  once everything is evaluated, before the gate decides). A metric belongs to one stage.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import ModuleType

from loop.evaluate.metric import Metric, Value
from loop.stages import Stage
from webapp.iterations.models import Iteration

Measure = Callable[[Iteration], Iterable[Value]]


@cache
def groups() -> tuple[ModuleType, ...]:
    """Every group, in the order of pages."""
    found = (importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__))
    return tuple(sorted(found, key=lambda module: module.ORDER))


@cache
def metrics() -> Mapping[str, Metric]:
    """Every metric by name, groups in order."""
    return {metric.name: metric for group in groups() for metric in group.METRICS}


def metric_named(name: str) -> Metric | None:
    """The metric that a stored value of this name belongs to."""
    plain, colon, _source = name.partition(":")
    return metrics().get(f"{plain}:*" if colon else plain)


def measures_of(stage: Stage) -> list[tuple[str, Measure]]:
    """(group, function) of everything measured after a stage."""
    return [(group.GROUP, group.MEASURES[stage]) for group in groups() if stage in group.MEASURES]


def metrics_of(group: str) -> list[Metric]:
    """What a group may write."""
    return [metric for module in groups() if group == module.GROUP for metric in module.METRICS]


@cache
def edition(group: str) -> str:
    """Says which formulas a group was measured with: another one when a metric is new or a version rose."""
    formulas = [(metric.name, metric.version) for metric in metrics_of(group)]
    return hashlib.sha256(repr(sorted(formulas)).encode()).hexdigest()[:12]

"""What tests of metric groups share."""

from loop.evaluate.metric import Value
from loop.stages import Stage
from webapp.iterations.models import Iteration
from webapp.metrics.measures import measures_of, metric_named
from webapp.metrics.services import stage_measure


def measured(iteration: Iteration, stage: Stage, group: str) -> dict[str, Value]:
    """The group's values by name; each is one that the group declares, and finite."""
    found = {v.name: v for name, measure in measures_of(stage) if name == group for v in measure(iteration)}
    for value in found.values():
        assert metric_named(value.name) is not None
        assert value.value is None or abs(value.value) < float("inf")
        assert value.value is not None or value.detail["reason"]
        assert value.ci95 is None or value.ci95[0] <= value.ci95[1]
    stage_measure(iteration=iteration, stage=stage, only=frozenset({group}))  # every one can be stored
    assert set(iteration.metrics.values_list("name", flat=True)) >= set(found)
    return found

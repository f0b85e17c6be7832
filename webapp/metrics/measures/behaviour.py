"""Habits of thought that a sample's text shows."""

from __future__ import annotations

from collections.abc import Iterator

from loop.evaluate.behaviours import counts
from loop.evaluate.metric import Metric, Value, value_of
from loop.stages import Stage
from webapp.iterations.models import Iteration
from webapp.metrics.samples import draws_of, sampled_of

HABITS = "arXiv:2503.01307"
COUNTED = "mean count per sample of the phrases in loop/evaluate/behaviours.py"

GROUP = "Behaviour"
ORDER = 80
METRICS = (
    Metric("behaviour_verification", "Checks a result", "count", "", COUNTED, HABITS),
    Metric("behaviour_backtracking", "Gives up a path for another", "count", "", COUNTED, HABITS),
    Metric("behaviour_subgoals", "Sets itself a subgoal", "count", "", COUNTED, HABITS),
    Metric("behaviour_backward", "Works back from the goal", "count", "", COUNTED, HABITS, version=2),
)


def generated(iteration: Iteration) -> Iterator[Value]:
    if (sampled := sampled_of(iteration)) is None:
        return
    samples, draws = sampled.samples, draws_of(iteration)
    for habit, found in counts(samples.texts).items():
        yield value_of(f"behaviour_{habit}", draws.ratio(samples.sum(found), samples.drawn))


MEASURES = {Stage.GENERATE: generated}

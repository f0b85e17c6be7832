"""Two iterations side by side, and two recipes by what their iterations gained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import Count, F, FloatField, OuterRef, Subquery
from django.db.models.functions import Cast

from loop.evaluate.metric import Metric
from loop.evaluate.paired import Bootstrap, paired_bootstrap
from loop.evaluate.unpaired import mean_of, means_difference
from webapp.metrics.figures.metric import lineage_href
from webapp.metrics.metrics_page import Told
from webapp.metrics.models import PromptFigures
from webapp.metrics.templatetags.numbers import written_interval
from webapp.metrics.values import (
    Change,
    Reading,
    Simulated,
    Turn,
    alike,
    change_of,
    names_by_group,
    readings_of,
    simulated_in,
    title_of,
)
from webapp.projects.models import Project

GAIN = "heldout_gain"
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Paired:
    """Solve rates on the ``n`` prompts that both iterations sampled and scored."""

    n: int
    before: float
    after: float
    change: Bootstrap


def solved_by_both(before: Turn, after: Turn) -> Paired | None:
    """Solve rates paired over prompts; None where the iterations share no scored prompt. One query."""
    rate = Cast(F("right"), FloatField()) / F("scored")
    earlier = PromptFigures.objects.filter(iteration=before.pk, prompt=OuterRef("prompt"), scored__gt=0)
    rows = (
        PromptFigures.objects.filter(iteration=after.pk, scored__gt=0)
        .annotate(now=rate, was=Subquery(earlier.annotate(rate=rate).values("rate")[:1]))
        .exclude(was=None)
        .values_list("was", "now")
        .annotate(n=Count("id"))
    )
    found = list(rows)
    if not found:
        return None
    was, now, counts = (np.array(column) for column in zip(*found, strict=True))
    was, now = np.repeat(was, counts), np.repeat(now, counts)
    change = paired_bootstrap(was.tolist(), now.tolist())
    return Paired(len(was), float(was.mean()), float(now.mean()), change)


@dataclass(frozen=True, slots=True)
class Compared(Told):
    """One stored value of both iterations; ``change`` takes them for independent."""

    name: str
    title: str
    metric: Metric
    before: Reading | None
    after: Reading | None
    change: Change | None
    before_href: str
    after_href: str

    @property
    def by_ends(self) -> str:
        unit = "points" if self.metric.unit == "share" else self.metric.unit
        return written_interval(*self.change.ci95, unit) if self.change and self.change.ci95 else ""


@dataclass(frozen=True, slots=True)
class Both:
    """Everything that is shown of two iterations."""

    before: Turn
    after: Turn
    paired: Paired | None
    groups: list[tuple[str, list[Compared]]]
    simulated: Simulated | None

    @property
    def alike(self) -> bool:
        """Whether their samples were drawn alike."""
        return self.before.sampling == self.after.sampling


def iterations_compared(project: Project, before: Turn, after: Turn) -> Both:
    """Two queries."""
    readings = readings_of(project, [before, after])
    groups = [
        (group, [_compared(project, name, metric, readings[name], before, after) for name, metric in names])
        for group, names in names_by_group(readings)
    ]
    paired, simulated = solved_by_both(before, after), simulated_in(readings, [before, after])
    return Both(before, after, paired, groups, simulated)


def _compared(
    project: Project, name: str, metric: Metric, values: Mapping[int, Reading], before: Turn, after: Turn
) -> Compared:
    a, b = values.get(before.pk), values.get(after.pk)
    hrefs = (lineage_href(project, name, turn.number) for turn in (before, after))
    change = change_of(metric, a, b) if alike(metric, before, after) else None
    return Compared(name, title_of(name), metric, a, b, change, *hrefs)


@dataclass(frozen=True, slots=True)
class Gain:
    """What an iteration gained on held-out prompts, paired there with the champion it started from."""

    turn: Turn
    value: float
    ci95: Interval


@dataclass(frozen=True, slots=True)
class Recipe:
    """``mean``: of its iterations' gains, None without a measured one; ``ci95``: from how much they vary,
    None of fewer than three."""

    name: str
    gains: list[Gain]
    mean: float | None
    ci95: Interval | None


def recipe_gains(project: Project, name: str, turns: Sequence[Turn]) -> Recipe:
    """A recipe's measured gains in main arms, from the oldest; one query."""
    own = [t for t in turns if t.main and t.recipe == name]
    values = readings_of(project, own, [GAIN]).get(GAIN, {})
    gains = [
        Gain(t, r.value, r.ci95)
        for t in own
        if (r := values.get(t.pk)) and r.value is not None and r.ci95 is not None
    ]
    if not gains:
        return Recipe(name, [], None, None)
    return Recipe(name, gains, *mean_of([g.value for g in gains]))


def recipes_difference(before: Recipe, after: Recipe) -> tuple[float, Interval] | None:
    """How much more the second gains in the mean; None where either has too few iterations to tell."""
    return means_difference([g.value for g in before.gains], [g.value for g in after.gains])


def chosen(
    options: Sequence[str], wanted: Mapping[str, str], default: tuple[int, int]
) -> tuple[str, str] | None:
    """The two sides that the address names, else the options at ``default``; None where there are not two."""
    if len(options) < 2:
        return None
    first = wanted["a"] if wanted.get("a") in options else ""
    second = wanted["b"] if wanted.get("b") in options else ""
    spare = [options[i] for i in default]
    second = second or next(o for o in reversed(spare) if o != first)
    first = first or next(o for o in [*spare, *options] if o != second)
    return first, second

"""Reads of measured values over the iterations of a project: few queries, plain shapes, never samples.

Pages get light rows instead of models: fifty iterations have thousands of values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

from django.db.models import Case, Count, Q, QuerySet, When
from django.db.models.fields.json import KT
from django.utils.translation import gettext

from loop.evaluate.metric import Metric
from loop.evaluate.unpaired import unpaired_difference
from loop.stages import Stage
from webapp.iterations.models import Iteration
from webapp.iterations.sentences import told
from webapp.metrics.measures import groups, metric_named
from webapp.metrics.measures.accuracy import FEW_SAMPLES
from webapp.metrics.measures.exploration import FEW_SCORED
from webapp.metrics.models import MetricValue
from webapp.projects.models import Project

Kind = Literal["promoted", "held", "control", "open"]
ANSWERS = "answers"  # the metric that counts them
SPAN = 8  # iterations that a sparkline shows


@dataclass(frozen=True, slots=True)
class Turn:
    """An iteration as dashboards place it. ``alarms``: how many fired for it."""

    pk: int
    number: int
    main: bool
    recipe: str
    kind: Kind
    alarms: int
    control_of: int | None  # pk
    sampling: str = ""  # equal for iterations that sampled alike


class Reading(NamedTuple):
    """A stored value without its detail. ``value`` is None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    unit: str
    simulated: int = 0  # of answers: how many of them programs gave

    @property
    def ci95(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)


Readings = Mapping[str, Mapping[int, Reading]]  # name -> iteration pk -> reading


def turns_of(
    project: Project,
    *,
    arm: str | None = "",
    recipe: str | None = "",
    until: int | None = None,
    last: int | None = None,
) -> list[Turn]:
    """The project's iterations from the oldest to the newest: one query.

    ``arm`` main or control, ``recipe`` a recipe's name: those alone. ``until``: none after that
    number. ``last``: the newest so many.
    """
    found: QuerySet[Iteration] = project.iterations.all()
    if arm:
        found = (
            found.filter(arm=Iteration.Arm.MAIN) if arm == "main" else found.exclude(arm=Iteration.Arm.MAIN)
        )
    if recipe:
        found = found.filter(recipe_name=recipe)
    if until is not None:
        found = found.filter(number__lte=until)
    rows = found.annotate(
        promote=KT("decision__promote"),
        fired=Count("alarms"),
        method=KT("recipe__method"),
        settings=KT("recipe__settings"),
    ).order_by("-number")
    plain = ("pk", "number", "arm", "recipe_name", "stage", "control_of_id")
    read = rows.values(*plain, "promote", "fired", "method", "settings")
    return [_turn(row) for row in reversed(read[:last] if last else read)]


def _turn(row: Mapping[str, Any]) -> Turn:
    return Turn(
        pk=row["pk"],
        number=row["number"],
        main=row["arm"] == Iteration.Arm.MAIN,
        recipe=row["recipe_name"],
        kind=_kind(row["arm"], row["stage"], row["promote"]),
        alarms=row["fired"],
        control_of=row["control_of_id"],
        sampling=f"{row['method']} {row['settings']}",
    )


def _kind(arm: str, stage: str, promote: str | None) -> Kind:
    if arm != Iteration.Arm.MAIN:
        return "control"
    if stage != Stage.DONE.value:
        return "open"
    return "promoted" if promote == "true" else "held"


def readings_of(project: Project, turns: Collection[Turn], names: Collection[str] | None = None) -> Readings:
    """Values of these iterations: one query. ``names``: these alone; ``name:*`` stands for every source."""
    found = decided(
        MetricValue.objects.filter(project=project, iteration__in=[t.pk for t in turns], model_version=None)
    )
    if names is not None:
        found = found.filter(named(names))
    by_name: dict[str, dict[int, Reading]] = {}
    programs = Case(When(name=ANSWERS, then=KT("detail__simulated")))
    rows = found.values_list("name", "iteration_id", "value", "low", "high", "n", "unit", programs)
    for name, pk, value, low, high, n, unit, simulated in rows:
        by_name.setdefault(name, {})[pk] = Reading(value, low, high, n, unit, int(simulated or 0))
    return by_name


@dataclass(frozen=True, slots=True)
class Simulated:
    """How many answers behind what a page shows were given by programs that stand in for people."""

    n: int
    of: int


def simulated_in(readings: Readings, turns: Sequence[Turn]) -> Simulated | None:
    """Of the answers in these iterations; None where people gave all of them."""
    answers = [r for t in turns if (r := readings.get(ANSWERS, {}).get(t.pk)) and r.value]
    n = sum(r.simulated for r in answers)
    return Simulated(n, round(sum(r.value or 0 for r in answers))) if n else None


def decided(values: QuerySet[MetricValue]) -> QuerySet[MetricValue]:
    """Without what was measured for a decision that is still to be made: while people compare blindly, how
    long or how right the challenger's answers are would tell whose they are."""
    names = [m.name for group in groups() if Stage.EVALUATE in group.MEASURES for m in group.METRICS]
    return values.exclude(iteration__stage=Stage.PROMOTE.value, name__in=names)


def named(names: Collection[str]) -> Q:
    """Rows of these names; ``name:*`` stands for every source."""
    plain = Q(name__in=[n for n in names if not n.endswith(":*")])
    for name in names:
        if name.endswith(":*"):
            plain |= Q(name__startswith=name[:-1])
    return plain


def detail_of(project: Project, name: str, number: int) -> MetricValue | None:
    """One value with its detail, by the number of its iteration."""
    return decided(
        MetricValue.objects.filter(
            iteration__project=project, iteration__number=number, name=name, model_version=None
        )
    ).first()


@cache
def _of_samples() -> frozenset[str]:
    stages = (Stage.GENERATE, Stage.CURATE)
    return frozenset(m.name for g in groups() if any(s in g.MEASURES for s in stages) for m in g.METRICS)


def alike(metric: Metric, one: Turn, other: Turn) -> bool:
    """Whether a difference between two iterations would be the model's: what is measured on samples depends
    on how they were drawn (how many, how hot) as well, so there both must have sampled alike."""
    return metric.name not in _of_samples() or one.sampling == other.sampling


def before(turns: Sequence[Turn], turn: Turn, values: Mapping[int, Reading], metric: Metric) -> Turn | None:
    """The newest main iteration before this one that has a value it may be compared with."""
    earlier = [t for t in turns if t.main and t.number < turn.number and _known(values.get(t.pk))]
    return next((t for t in reversed(earlier) if alike(metric, t, turn)), None)


def _known(reading: Reading | None) -> bool:
    return reading is not None and reading.value is not None


@dataclass(frozen=True, slots=True)
class Change:
    """``word``: better, worse (a metric with a good direction), higher, lower (one without), unclear (the
    intervals explain it), or same. ``by`` is after - before; ``ci95`` takes the sides for independent."""

    by: float
    ci95: tuple[float, float] | None
    word: str
    sign: str


SIGNS = {"better": "▲", "worse": "▼", "higher": "↑", "lower": "↓", "unclear": "≈", "same": "="}


def change_of(metric: Metric, earlier: Reading | None, now: Reading | None) -> Change | None:
    """What became of a value between two iterations; None unless both have one."""
    if earlier is None or now is None or earlier.value is None or now.value is None:
        return None
    by, ci95 = now.value - earlier.value, None
    if earlier.ci95 and now.ci95:
        by, ci95 = unpaired_difference(earlier.value, earlier.ci95, now.value, now.ci95)
    word = _word(metric, by, ci95)
    return Change(by, ci95, word, SIGNS[word])


def _word(metric: Metric, by: float, ci95: tuple[float, float] | None) -> str:
    if by == 0:
        return "same"
    if ci95 is not None and ci95[0] <= 0 <= ci95[1]:
        return "unclear"
    if ci95 is None or not metric.better:  # without an interval nobody knows whether it could be chance
        return "higher" if by > 0 else "lower"
    return "better" if (by > 0) == (metric.better == "up") else "worse"


def names_by_group(readings: Readings) -> list[tuple[str, list[tuple[str, Metric]]]]:
    """(group, [(stored name, metric)]) of what was measured, in the order of pages; sources by name."""
    stored: dict[str, list[str]] = {}
    for name in sorted(readings):
        plain, colon, _source = name.partition(":")
        stored.setdefault(f"{plain}:*" if colon else plain, []).append(name)
    found = [
        (group.GROUP, [(name, metric) for metric in group.METRICS for name in stored.get(metric.name, ())])
        for group in groups()
    ]
    return [(group, names) for group, names in found if names]


def title_of(name: str) -> str:
    """How a stored value is called in the reader's language: the metric's title, and a source."""
    _, _, source = name.partition(":")
    metric = metric_named(name) or metric_named(f"{name}:*")
    title = gettext(metric.title) if metric else name
    return f"{title}, {source.replace('_', ' ')}" if source else title


def reason_of(row: MetricValue) -> str:
    """Why a value is not defined, in the reader's language; empty where the measuring did not say."""
    return told(str(row.detail.get("reason", "")), (FEW_SAMPLES, FEW_SCORED))


def latest(turns: Sequence[Turn], values: Mapping[int, Reading]) -> Turn | None:
    """The newest iteration that has a value, main ones first: what a page leads with."""
    known = [t for t in turns if _known(values.get(t.pk))]
    return next((t for t in reversed(known) if t.main), known[-1] if known else None)

"""The ledger: how far the word of each critic, judge, scorer, checker, and of people, may be trusted.

Metric values alone are read: what a group of `measures` wrote when a stage ended. The rule that licenses is
`loop.evaluate.trust`; here it is put into words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.db.models.fields.json import KT
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from loop.evaluate.alarms.rule import ENOUGH, Seen
from loop.evaluate.trust import NEEDS, Answer, Finding, Kind, Licence, Need, State, licence
from webapp.metrics.charts import Spark, sparkline
from webapp.metrics.measures import metric_named
from webapp.metrics.measures.judge import MODEL
from webapp.metrics.models import MetricValue
from webapp.metrics.templatetags.numbers import written, written_interval
from webapp.metrics.values import (
    ANSWERS,
    SPAN,
    Reading,
    Readings,
    Turn,
    latest,
    readings_of,
    title_of,
    turns_of,
)
from webapp.projects.models import Project

LAST = 50  # iterations that are looked at
# What is shown beside what a licence rests on. A name that ends in a colon has one value per source.
BESIDE: Mapping[Kind, tuple[str, ...]] = {
    Kind.CRITIC: (
        "critic_tpr", "critic_first_error", "critic_first_error_near", "critic_first_error_people",
        "critic_false_alarm", "critic_agrees_with_checker",
    ),
    Kind.JUDGE: (),
    Kind.SCORER: ("brier:",),
    Kind.CHECKER: (),
    Kind.PEOPLE: ("accept_rate", "override_rate"),
}  # fmt: skip
TITLES = {
    Kind.CRITIC: lazy("The model’s critic"),
    Kind.JUDGE: lazy("The judge of pairs"),
    Kind.SCORER: lazy("Score “%(source)s”"),
    Kind.CHECKER: lazy("The checker"),
    Kind.PEOPLE: lazy("People, as a group"),
}
ABOUT = {
    Kind.CRITIC: lazy("Says of one response whether it is right and where its first error is."),
    Kind.JUDGE: lazy("Says which of two responses is better."),
    Kind.SCORER: lazy("A number from 0 to 1 for each sample."),
    Kind.CHECKER: lazy("A program that compares with the reference."),
    Kind.PEOPLE: lazy("What everybody else is measured against."),
}
SIGNS = {State.HOLDS: "✓", State.BROKEN: "✕", State.UNSURE: "≈", State.FEW: "?", State.MISSING: "?"}
STATES = {
    State.HOLDS: lazy("keeps its limit"),
    State.BROKEN: lazy("breaks its limit"),
    State.UNSURE: lazy("may lie on either side"),
    State.FEW: lazy("rests on too few"),
    State.MISSING: lazy("not measured"),
}
REASONS = {
    State.BROKEN: lazy("“%(title)s” is %(value)s and must be %(limit)s"),
    State.UNSURE: lazy("“%(title)s” is %(value)s: it may lie on either side of the limit, %(limit)s"),
    State.FEW: lazy("“%(title)s” rests on %(n)s, and at least %(enough)s are needed"),
    State.MISSING: lazy("“%(title)s” was not measured"),
}
CLOSED = {
    Answer.YES: lazy("May be trusted to filter alone: every figure keeps its limit with its whole interval."),
    Answer.NO: lazy("May not be trusted to filter alone, because %(reasons)s."),
    Answer.UNKNOWN: lazy("Not enough evidence to let it filter alone: %(reasons)s."),
}


@dataclass(frozen=True, slots=True)
class Measure:
    """A row of an entry: the newest value, its limit and state where the licence rests on it, its past."""

    name: str
    reading: Reading | None
    turn: Turn | None
    spark: Spark | None
    finding: Finding | None = None

    @property
    def title(self) -> str:
        return _title(self.name)

    @property
    def limit(self) -> str:
        return limit_of(self.finding.need) if self.finding else ""

    @property
    def sign(self) -> str:
        return SIGNS[self.finding.state] if self.finding else ""

    @property
    def words(self) -> str:
        return str(STATES[self.finding.state]) if self.finding else ""

    @property
    def metric(self) -> str:
        """How the metric's page is addressed."""
        return self.name.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Entry:
    """One that judges. ``turn``: the newest iteration that measured it."""

    kind: Kind
    source: str
    title: str
    licence: Licence
    measures: list[Measure]
    model: str = ""  # whose word it was, where a model's

    @property
    def about(self) -> str:
        return str(ABOUT[self.kind])

    @property
    def sentence(self) -> str:
        return sentence(self.licence, self.source)

    @property
    def turn(self) -> Turn | None:
        return max((m.turn for m in self.measures if m.turn), key=lambda t: t.number, default=None)


@dataclass(frozen=True)
class Ledger:
    """What the page and its figures read: two queries, and two more for whose word a figure is."""

    project: Project
    turns: list[Turn]
    readings: Readings

    @classmethod
    def of(cls, project: Project) -> Ledger:
        turns = turns_of(project, arm="main", last=LAST)
        needed = [need.name for needs in NEEDS.values() for need in needs]
        names = {*needed, *(name for beside in BESIDE.values() for name in beside)}
        names |= {"ppi_right", "ppi_critic_right", ANSWERS}
        wild = [f"{name}*" if name.endswith(":") else name for name in names]
        return cls(project, turns, readings_of(project, turns, wild))

    def newest(self, name: str, turns: Sequence[Turn] | None = None) -> tuple[Turn | None, Reading | None]:
        """The newest value, of all turns or of these."""
        values = self.readings.get(name, {})
        turn = latest(self.turns if turns is None else turns, values)
        return turn, values[turn.pk] if turn else None

    @cached_property
    def entries(self) -> list[Entry]:
        """Everybody of whom something was measured, in the order of `Kind`; scorers by name."""
        sources = sorted(name.partition(":")[2] for name in self.readings if name.startswith("auroc:"))
        found = [self._entry(kind, s) for kind in Kind for s in (sources if kind is Kind.SCORER else [""])]
        return [entry for entry in found if entry.turn is not None]

    def _entry(self, kind: Kind, source: str) -> Entry:
        needed, beside = (
            [name + source if name.endswith(":") else name for name in names]
            for names in ([need.name for need in NEEDS[kind]], BESIDE[kind])
        )
        turns, model = self._of_one(kind, [*needed, *beside])
        newest = {name: self.newest(name, turns)[1] for name in needed}
        seen = {name: Seen(r.value, r.low, r.high, r.n) for name, r in newest.items() if r is not None}
        found = licence(kind, seen, source)
        rows = [self._measure(f.need.name + source, turns, f) for f in found.findings]
        rows += [self._measure(name, turns) for name in beside]
        title = str(TITLES[kind]) % {"source": source.replace("_", " ")} if source else str(TITLES[kind])
        return Entry(kind, source, title, found, [row for row in rows if row.reading or row.finding], model)

    def _of_one(self, kind: Kind, names: Sequence[str]) -> tuple[list[Turn], str]:
        """The turns that may be put together, and whose word they tell of: of a critic or judge only those
        of the model that was measured last, for what an earlier one did licenses nobody."""
        newest = max(
            (turn for name in names if (turn := self.newest(name)[0])), key=lambda t: t.number, default=None
        )
        spoke = self._spoke.get(kind)
        if spoke is None or newest is None:
            return self.turns, ""
        return [t for t in self.turns if spoke.get(t.pk) == spoke.get(newest.pk)], spoke[newest.pk][1]

    @cached_property
    def _spoke(self) -> Mapping[Kind, Mapping[int, tuple[object, str]]]:
        """Whose word a critic's and a judge's figures are, by iteration: the champion with its own words, or
        of pairs a scorer. As what tells them apart, and its name."""
        pks = [turn.pk for turn in self.turns]
        rows = self.project.iterations.filter(pk__in=pks).values_list("pk", "champion_id", "champion__name")
        champions = {pk: (version, name or "") for pk, version, name in rows}
        values = MetricValue.objects.filter(iteration__in=pks, name__startswith="judge_", model_version=None)
        scorers = {
            pk: (judge, judge.replace("_", " "))
            for pk, judge in values.values_list("iteration_id", KT("detail__judge"))
            if judge and judge != MODEL
        }
        return {Kind.CRITIC: champions, Kind.JUDGE: champions | scorers}

    def _measure(self, name: str, turns: Sequence[Turn], finding: Finding | None = None) -> Measure:
        turn, reading = self.newest(name, turns)
        values = self.readings.get(name, {})
        past = [values.get(t.pk) for t in self.turns[-SPAN:]]
        label = _("%(title)s over the last iterations") % {"title": _title(name)}
        spark = sparkline([(r.value, r.low, r.high) if r else (None, None, None) for r in past], label)
        return Measure(name, reading, turn, spark, finding)


def sentence(found: Licence, source: str = "") -> str:
    """The licence in one sentence."""
    reasons = "; ".join(_reason(finding, source) for finding in found.because)
    return str(CLOSED[found.answer]) % {"reasons": reasons}


def _reason(finding: Finding, source: str) -> str:
    if finding.state not in REASONS:
        return ""
    if finding.state is State.FEW and finding.seen and finding.seen.n >= ENOUGH:
        return _("“%(title)s” rests on too few prompts") % {"title": _title(finding.need.name + source)}
    seen, unit = finding.seen, _unit(finding.need.name)
    ends = written_interval(seen.low, seen.high, unit) if seen else ""
    value = written(seen.value, unit) if seen else ""
    return str(REASONS[finding.state]) % {
        "title": _title(finding.need.name + source),
        "value": f"{value} ({ends})" if ends else value,
        "limit": limit_of(finding.need),
        "n": seen.n if seen else 0,
        "enough": ENOUGH,
    }


def limit_of(need: Need) -> str:
    """above 60.0 %; below 15.0 %; between 35.0 % and 65.0 %"""
    unit = _unit(need.name)
    low, high = (None if end is None else written(end, unit) for end in (need.low, need.high))
    if low and high:
        return _("between %(low)s and %(high)s") % {"low": low, "high": high}
    return _("above %(low)s") % {"low": low} if low else _("below %(high)s") % {"high": high}


def _unit(name: str) -> str:
    metric = metric_named(name)
    return metric.unit if metric else "share"


def _title(name: str) -> str:
    """The source stands in the entry's title already."""
    metric = metric_named(name)
    return _(metric.title) if metric else title_of(name).replace("_", " ")


def limits() -> list[tuple[str, list[tuple[str, str, str]]]]:
    """The rule as it is: (who, [(figure, limit, where the limit comes from)])."""
    return [
        (
            str(TITLES[kind]) if kind is not Kind.SCORER else _("Each score"),
            [(_title(need.name), limit_of(need), need.source) for need in needs],
        )
        for kind, needs in NEEDS.items()
    ]

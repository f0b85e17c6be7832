"""Figures of the ledger: one rate estimated in three ways, and agreement with people by iteration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from loop.evaluate.rates import wilson
from webapp.metrics.charts import Line, Point, trend
from webapp.metrics.charts.estimates import Estimated, estimates
from webapp.metrics.figures import Build, Cell, Figure
from webapp.metrics.figures.metric import cells_of, point_of
from webapp.metrics.models import MetricValue
from webapp.metrics.templatetags.numbers import written
from webapp.metrics.trust_page import Ledger
from webapp.metrics.values import Reading, Turn, detail_of
from webapp.projects.models import Project, Role

POWERED = {  # what is estimated
    "ppi_right": lazy("Samples that are right"),
    "ppi_critic_right": lazy("The critic’s verdicts that are right"),
}
MACHINES = {"checker": lazy("checker"), "critic": lazy("critic")}
DRAWN = 30  # iterations, the newest
AGREEMENT = {
    "critic_agrees_with_people": lazy("critic"),
    "judge_agrees_with_people": lazy("judge"),
    "people_agree_with_checker": lazy("checker"),
}


def powered_figure(project: Project, query: Mapping[str, str]) -> Figure | None:
    """``name`` in `POWERED`, ``iteration``: its number."""
    name, number = query.get("name", ""), query.get("iteration", "")
    if name not in POWERED or not number.isdecimal():
        return None
    value = detail_of(project, name, int(number))
    return powered_of(value, int(number)) if value is not None else None


def powered_of(value: MetricValue, number: int) -> Figure | None:
    """Three intervals of one rate: what the machine says alone, what people say alone, and both together."""
    said = value.detail
    if value.value is None or said.get("naive") is None or said.get("people") is None:
        return None
    machine, what = str(MACHINES.get(said.get("judge", ""), MACHINES["checker"])), str(POWERED[value.name])
    low, high = _wilson(said["naive"], said.get("naive_n") or 0)
    people_low, people_high = said.get("people_ci") or (None, None)
    rows = [
        Estimated(_("Naive (%(who)s)") % {"who": machine}, said["naive"], low, high, look="doubtful"),
        Estimated(_("People alone"), said["people"], people_low, people_high),
        Estimated(_("Together (PPI++)"), value.value, value.low, value.high, look="best"),
    ]
    return Figure(
        key="trust-ppi",
        title=_conclusion(value, said["naive"], machine, what),
        caption=_(
            "%(what)s, in iteration %(number)s. Lines are intervals at 95 %%. The naive figure rests on many "
            "judgements and may be biased; people’s is not, and wide; together they are unbiased, and "
            "narrower the more labels there are (prediction-powered inference). Shaded: where the truth most "
            "likely lies."
        )
        % {"what": what, "number": number},
        template="metrics/drawings/estimates.html",
        chart=estimates(rows, value.unit),
        head=[_("Estimate"), _("Value"), _("Low (95 %)"), _("High (95 %)"), "n"],
        rows=[
            _row(row, n, value.unit)
            for row, n in zip(rows, (said.get("naive_n"), said.get("people_n"), value.n or None), strict=True)
        ],
        query=urlencode({"name": value.name, "iteration": str(number)}),
    )


def _conclusion(value: MetricValue, naive: float, machine: str, what: str) -> str:
    told = {
        "what": what,
        "value": written(value.value, value.unit),
        "naive": written(naive, value.unit),
        "machine": machine,
    }
    if value.low is None or value.high is None or value.low <= naive <= value.high:
        told["n"] = str(value.detail.get("people_n") or value.n)
        return (
            _("%(what)s: %(value)s; %(n)s answers do not tell it from what the %(machine)s says, %(naive)s")
            % told
        )
    if naive > value.high:
        return _("%(what)s: %(value)s; the %(machine)s alone flatters, it says %(naive)s") % told
    return _("%(what)s: %(value)s; the %(machine)s alone is too strict, it says %(naive)s") % told


def _wilson(share: float, n: int) -> tuple[float | None, float | None]:
    return wilson(round(share * n), n) if n else (None, None)


def _row(row: Estimated, n: Any, unit: str) -> list[Cell]:
    numbers = [
        Cell(written(end, unit), "" if end is None else end, number=True)
        for end in (row.value, row.low, row.high)
    ]
    return [Cell(row.label), *numbers, Cell("–" if n is None else str(n), n or "", number=True)]


def agreement_figure(project: Project, query: Mapping[str, str]) -> Figure | None:
    return agreement_of(Ledger.of(project))


def agreement_of(ledger: Ledger) -> Figure | None:
    """How often each says what people say, by iteration; None where nobody was measured."""
    names = [name for name in AGREEMENT if any(_known(r) for r in ledger.readings.get(name, {}).values())]
    turns = ledger.turns[-DRAWN:] if names else []
    measured = [t for t in turns if any(_known(ledger.readings[n].get(t.pk)) for n in names)]
    if not measured:
        return None
    turns = turns[turns.index(measured[0]) :]
    lines = [Line(str(AGREEMENT[n]), [_point(ledger, n, t) for t in turns]) for n in names]
    newest = {name: ledger.newest(name) for name in names}
    last = ", ".join(
        f"{AGREEMENT[name]} {written(r.value, r.unit)}" for name, (_turn, r) in newest.items() if r
    )
    return Figure(
        key="trust-agreement",
        title=_("Agreement with people, newest: %(last)s") % {"last": last},
        caption=_(
            "Across: iterations. Up: share of people’s verdicts that it shares. Band: 95 %. Iterations "
            "without a mark have no answers to compare with."
        ),
        template="metrics/drawings/trend.html",
        chart=trend(lines, "share"),
        head=[_("Iteration"), *_heads(names)],
        rows=[
            [
                Cell(str(t.number), t.number, reverse("iteration", args=[ledger.project.slug, t.number])),
                *(c for n in names for c in cells_of(ledger.project, n, t, ledger.readings[n].get(t.pk))),
            ]
            for t in reversed(measured)
        ],
    )


def _point(ledger: Ledger, name: str, turn: Turn) -> Point:
    return point_of(ledger.project, name, turn, ledger.readings[name].get(turn.pk), alarmed=False)


def _heads(names: Sequence[str]) -> list[str]:
    heads = []
    for name in names:
        who = str(AGREEMENT[name])
        heads += [who, f"{who}, {_('low (95 %)')}", f"{who}, {_('high (95 %)')}", f"{who}, n"]
    return heads


def _known(reading: Reading | None) -> bool:
    return reading is not None and reading.value is not None


FIGURES: dict[str, tuple[Role, Build]] = {
    "trust-ppi": (Role.VIEWER, powered_figure),
    "trust-agreement": (Role.VIEWER, agreement_figure),
}

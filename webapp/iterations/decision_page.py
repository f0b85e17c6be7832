"""A decision as its page shows it: plain rows made of the JSON that the gate wrote. No queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from webapp.iterations.models import Iteration

LISTED = 60  # failing prompts named on the page; the rest are counted
HALF = 50  # the bar of a slice: so many units to each side of no change
FULL_BAR = 0.2  # a change of this size, or more, fills its side

GUARDS = {
    "answers that can be read": lazy("Answers that can be read"),
    "answers that come to an end": lazy("Answers that come to an end"),
    "answers cut off at the length limit": lazy("Answers cut off at the length limit"),
    "probe accuracy": lazy("Probe accuracy"),
    "probe prompts solved earlier": lazy("Probe prompts solved earlier"),
    "unanswerable prompts": lazy("Unanswerable prompts: says so"),
}
SLICED_BY = {"tag": lazy("Tag"), "difficulty": lazy("Difficulty"), "length": lazy("Prompt length")}
THIRDS = {"low": lazy("shortest third"), "middle": lazy("middle third"), "high": lazy("longest third")}


@dataclass(frozen=True, slots=True)
class Side:
    """One line of the comparison: who, how good, at what cost, and how far the challenger is ahead."""

    name: str
    version: int | None  # its number, to link to
    accuracy: float | None
    tokens: float | None
    seconds: float | None
    compared: dict[str, Any] | None  # None: the challenger itself
    earlier: bool = False  # measured for an iteration before: its seconds are of another moment


@dataclass(frozen=True, slots=True)
class SliceRow:
    by: str
    name: str
    before: float
    after: float
    n: int
    p_value: float
    broken: bool
    bar_x: float
    bar_width: float

    @property
    def change(self) -> float:
        return self.after - self.before


def sides(iteration: Iteration) -> list[Side]:
    """Challenger first, then what it was compared with; empty for decisions made before this was kept."""
    d = iteration.decision
    against, baseline, cost = d.get("against") or {}, d.get("baseline"), d.get("cost") or {}
    if not against:
        return []
    if "picks" in d:
        return _pickers(iteration)
    champion, challenger = iteration.champion, iteration.challenger
    numbers = [v.number if v else None for v in (challenger, champion)]
    rows = [
        _side(_("Challenger"), numbers[0], d.get("after"), cost.get("challenger"), None),
        _side(
            _("Champion"),
            numbers[1],
            against["champion"]["before"],
            cost.get("champion"),
            against["champion"],
        ),
    ]
    if "base" in against:
        rows.append(_side(_("Bare base"), 1, against["base"]["before"], cost.get("base"), against["base"]))
    if baseline:
        shown = ngettext(
            "No training: champion with %(n)s example in its prompt",
            "No training: champion with %(n)s examples in its prompt",
            baseline["shots"],
        ) % {"n": baseline["shots"]}
        rows.append(_side(shown, numbers[1], baseline["before"], cost.get("baseline"), baseline))
    return rows


def _pickers(iteration: Iteration) -> list[Side]:
    """Who picked among the same samples: the new scorer, the one in use, nobody."""
    d, picks, challenger = iteration.decision, iteration.decision["picks"], iteration.challenger
    first, number = picks["first_sample"], challenger.number if challenger else None
    rows = [_side(_("New scorer"), number, d.get("after"), None, None)]
    if picks["in_use"]:
        in_use = d["against"]["champion"]
        rows.append(_side(_("Scorer in use"), picks["in_use_number"], in_use["before"], None, in_use))
    return [*rows, _side(_("No scorer: the first sample"), None, first["before"], None, first)]


def _side(
    name: str,
    number: int | None,
    accuracy: float | None,
    cost: dict[str, Any] | None,
    compared: dict[str, Any] | None,
) -> Side:
    cost = cost or {}
    tokens, seconds, earlier = (cost.get(k) for k in ("tokens_per_answer", "seconds_per_answer", "earlier"))
    return Side(name, number, accuracy, tokens, seconds, compared, bool(earlier))


def guards(iteration: Iteration) -> list[dict[str, Any]]:
    """In the order of `GUARDS`: JSON objects have none."""
    found: dict[str, Any] = iteration.decision.get("guards") or {}
    known = list(GUARDS)
    ordered = sorted(found, key=lambda name: (known.index(name) if name in known else len(known), name))
    return [{"name": GUARDS.get(name, name), **found[name]} for name in ordered]


def slices(iteration: Iteration) -> list[SliceRow]:
    """Every slice that was tested, with the bar of its change; what broke comes first."""
    rows = []
    for s in iteration.decision.get("slices") or []:
        width = HALF * min(1.0, abs(s["after"] - s["before"]) / FULL_BAR)
        rows.append(
            SliceRow(
                by=str(SLICED_BY.get(s["by"], s["by"])),
                name=str(THIRDS.get(s["name"], s["name"])) if s["by"] == "length" else s["name"],
                before=s["before"],
                after=s["after"],
                n=s["n"],
                p_value=s["p_value"],
                broken=s["broken"],
                bar_x=round(HALF - width if s["after"] < s["before"] else HALF, 2),
                bar_width=round(width, 2),
            )
        )
    return sorted(rows, key=lambda row: not row.broken)


def failing(iteration: Iteration) -> list[tuple[str, list[int], int]]:
    """(kind, the first ids, how many more) of the prompts lost, and apart from them of the unpaired ones."""
    found = iteration.decision.get("failing") or {}
    return [
        (kind, ids[:LISTED], max(0, len(ids) - LISTED))
        for kind in ("lost", "unpaired")
        if (ids := found.get(kind) or [])
    ]


def evidence(iteration: Iteration) -> dict[str, Any]:
    """Everything that `templates/iterations/decision.html` shows beside the decision itself."""
    if not iteration.decision:
        return {}
    return {
        "sides": sides(iteration),
        "guards": guards(iteration),
        "slices": slices(iteration),
        "failing": failing(iteration),
    }

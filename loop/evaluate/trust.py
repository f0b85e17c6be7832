"""May the word of a critic, judge, scorer, checker or of people alone decide what is kept?

A rule over what was measured of it. Each need is a figure that must lie within limits; it holds when the
whole 95 % interval does and rests on enough (`Seen.enough`), and is broken when the whole interval lies
beyond. So the answer is yes, no, or that there is not enough evidence; what was not measured never licenses
anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from loop.evaluate.alarms.rule import Seen, above, below

CHANCE = 0.5
MARGIN = 0.1  # above chance by so much, or filtering gains too little to be worth its mistakes


class Kind(StrEnum):
    CRITIC = "critic"  # judges one response, and where its first error is
    JUDGE = "judge"  # chooses between two
    SCORER = "scorer"  # a number from 0 to 1 for each response
    CHECKER = "checker"  # a program that compares with a reference
    PEOPLE = "people"


class Answer(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class State(StrEnum):
    HOLDS = "holds"
    BROKEN = "broken"
    UNSURE = "unsure"  # the interval lies across a limit
    FEW = "few"  # measured on too few, or on so few prompts that it has no interval
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Need:
    """The figure ``name`` (ending in ``:`` where it is one per source) must lie above ``low`` and below
    ``high``. ``optional``: only where it was measured."""

    name: str
    low: float | None = None
    high: float | None = None
    source: str = ""  # of the limit
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    need: Need
    state: State
    seen: Seen | None


@dataclass(frozen=True, slots=True)
class Licence:
    answer: Answer
    findings: tuple[Finding, ...]

    @property
    def because(self) -> tuple[Finding, ...]:
        """What decided it: the broken needs, else those without enough evidence, else all."""
        if self.answer is Answer.YES:
            return self.findings
        if self.answer is Answer.NO:
            return tuple(f for f in self.findings if f.state is State.BROKEN)
        return tuple(f for f in self.findings if not _content(f))


NEEDS: Mapping[Kind, tuple[Need, ...]] = {
    Kind.CRITIC: (
        Need("critic_balanced_accuracy", low=CHANCE + MARGIN, source="arXiv:2504.19162"),
        Need("critic_tnr", low=0.5, source="arXiv:2501.05727"),  # a rubber stamp finds no wrong response
        Need("critic_agrees_with_people", low=CHANCE + MARGIN, source="arXiv:2306.05685"),
        Need("critic_unparsed", high=0.1),
    ),
    Kind.JUDGE: (
        Need("judge_agrees_with_people", low=CHANCE + MARGIN, source="arXiv:2306.05685"),
        Need("judge_flips", high=0.15, source="arXiv:2306.05685"),
        Need("judge_first_bias", low=0.35, high=0.65, source="arXiv:2407.19594"),
        Need("judge_length_bias", low=0.35, high=0.65, source="arXiv:2306.05685"),
        Need("judge_self_preference", high=0.55, source="arXiv:2404.13076", optional=True),
    ),
    Kind.SCORER: (
        Need("auroc:", low=CHANCE + MARGIN),
        Need("ece:", high=0.15, source="arXiv:1706.04599"),  # else a threshold does not mean what it says
    ),
    Kind.CHECKER: (Need("people_agree_with_checker", low=0.9),),
    Kind.PEOPLE: (Need("people_alpha", low=0.667, source="Krippendorff, 2004, p. 241"),),
}


def licence(kind: Kind, values: Mapping[str, Seen], source: str = "") -> Licence:
    """Whether it may filter alone, by what was measured of it. ``source``: a scorer, as metrics name it."""
    findings = tuple(_finding(need, values.get(need.name + source)) for need in NEEDS[kind])
    if any(f.state is State.BROKEN for f in findings):
        return Licence(Answer.NO, findings)
    return Licence(Answer.YES if all(map(_content, findings)) else Answer.UNKNOWN, findings)


def _content(finding: Finding) -> bool:
    return finding.state is State.HOLDS or (finding.need.optional and finding.state is State.MISSING)


def _finding(need: Need, seen: Seen | None) -> Finding:
    return Finding(need, _state(need, seen), seen)


def _state(need: Need, seen: Seen | None) -> State:
    if seen is None or seen.value is None:
        return State.MISSING
    if not seen.enough:
        return State.FEW
    if (need.low is not None and below(seen, need.low)) or (need.high is not None and above(seen, need.high)):
        return State.BROKEN
    held = (need.low is None or above(seen, need.low)) and (need.high is None or below(seen, need.high))
    return State.HOLDS if held else State.UNSURE

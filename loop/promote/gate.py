"""Whether a challenger replaces the champion: paired tests, least effect, guards, slices, reasons in words.

Every condition must hold, so no level is corrected for there being several: a challenger that is no better
than the champion passes all of them at most as often as it passes the first (intersection-union test; Berger,
1982, Technometrics 24). Corrected are only the families of which one finding holds: guards, slices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from loop.evaluate.comparison import Comparison, Outcomes, compare
from loop.promote import guards as guarding
from loop.promote import slices as slicing
from loop.promote import words
from loop.promote.blind import Blind
from loop.promote.guards import Guard, GuardResult
from loop.promote.slices import Slice, SliceResult
from loop.recipe_parts import GatePart


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the gate looks at: held-out outcomes by prompt id, all of the same prompts.

    ``base`` is None where the champion is the bare base, ``baseline`` (the champion with accepted examples in
    its prompt) where there is none. ``tokens``: mean tokens per answer of champion and challenger.
    """

    champion: Outcomes
    challenger: Outcomes
    base: Outcomes | None = None
    baseline: Outcomes | None = None
    guards: Mapping[str, Guard] = field(default_factory=dict)
    slices: Sequence[Slice] = ()
    tokens: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True, slots=True)
class Decision:
    """``against``: "champion", and "base" and "baseline" where they were measured."""

    promote: bool
    reasons: tuple[str, ...]
    against: Mapping[str, Comparison]
    guards: tuple[GuardResult, ...]
    slices: tuple[SliceResult, ...]


def decide(evidence: Evidence, settings: GatePart) -> Decision:
    """Say promote or hold. Every reason against is listed; a promotion gives the one reason for it."""
    others = {"champion": evidence.champion, "base": evidence.base, "baseline": evidence.baseline}
    against = {
        name: compare(outcomes, evidence.challenger)
        for name, outcomes in others.items()
        if outcomes is not None
    }
    first = against["champion"]
    guards = guarding.results(evidence.guards, margin=settings.guard_tolerance, alpha=settings.guard_alpha)
    slices = slicing.results(
        evidence.slices,
        evidence.champion,
        evidence.challenger,
        alpha=settings.guard_alpha,
        least=settings.min_slice,
    )
    reasons = [*_enough(first, settings), *_better(first, settings)]
    if settings.against_base and "base" in against:
        reasons += _better(against["base"], settings, words.BASE)
    if settings.beat_baseline and "baseline" in against:
        reasons += _better(against["baseline"], settings, words.BASELINE, least=0.0)
    reasons += [words.GUARD.format(name=g.name, broken=g.broken) for g in guards if g.broken]
    if settings.hold_on_slices:
        reasons += [_slice_reason(s) for s in slices if s.broken]
    reasons += _length(evidence.tokens, settings.max_token_ratio)
    return Decision(not reasons, tuple(reasons) or (_won(first),), against, tuple(guards), tuple(slices))


def with_blind(decision: Decision, blind: Blind, settings: GatePart) -> Decision:
    """The decision once people have compared: their word can only hold."""
    if blind.share is None:
        against = words.NOBODY_COMPARED
    elif blind.share < settings.blind_share:
        pairs, least = blind.won + blind.lost + blind.tied, f"{settings.blind_share:.1%}"
        against = words.COMPARED.format(share=f"{blind.share:.1%}", n=pairs, least=least)
    else:
        return decision
    reasons = (against,) if decision.promote else (*decision.reasons, against)
    return Decision(False, reasons, decision.against, decision.guards, decision.slices)


def _enough(c: Comparison, settings: GatePart) -> Iterable[str]:
    if len(c.unpaired) > settings.guard_tolerance * max(c.n + len(c.unpaired), 1):
        yield words.UNPAIRED.format(n=len(c.unpaired), all=c.n + len(c.unpaired))
    if c.n < settings.min_prompts:
        yield words.TOO_FEW.format(n=c.n, least=settings.min_prompts)


def _better(
    c: Comparison, settings: GatePart, other: str = "", *, least: float | None = None
) -> Iterable[str]:
    """Why ``c`` is no proof of a gain. ``other`` names the other side unless it is the champion."""
    which = 1 if other else 0
    if c.effect is None or c.p_value is None:
        if other:  # of the champion it is said already that there are too few
            yield words.NOT_SCORED.format(other=other)
        return
    least = settings.min_effect if least is None else least
    if c.effect < 0:
        yield words.FELL[which].format(by=_points(-c.effect), other=other)
    elif c.effect == 0:
        yield words.SAME[which].format(other=other)
    elif c.effect < least:
        rose, wanted = _points(c.effect), _points(least)
        yield words.ROSE_LITTLE[which].format(by=rose, other=other, least=wanted)
    if c.p_value >= settings.alpha:
        p, alpha = _p(c.p_value), f"{settings.alpha:g}"
        yield words.CHANCE[which].format(other=other, p=p, alpha=alpha)


def _slice_reason(s: SliceResult) -> str:
    return words.SLICE.format(
        by=s.by,
        name=s.name,
        before=f"{s.before:.1%}",
        after=f"{s.after:.1%}",
        n=s.n,
        lost=s.lost,
        gained=s.gained,
        p=_p(s.p_value),
    )


def _length(tokens: tuple[float | None, float | None], most: float | None) -> Iterable[str]:
    if most is None:
        return
    before, after = tokens
    if before is None or after is None:
        yield words.UNCOUNTED
    elif after > most * before:
        yield words.LONGER.format(before=f"{before:.1f}", after=f"{after:.1f}", most=f"{most:g}")


def _won(c: Comparison) -> str:
    assert c.effect is not None
    assert c.ci95 is not None
    assert c.p_value is not None
    low, high = (f"{end * 100:+.1f}" for end in c.ci95)
    return words.WON.format(
        by=_points(c.effect),
        low=low,
        high=high,
        n=c.n,
        gained=len(c.gained),
        lost=len(c.lost),
        p=_p(c.p_value),
    )


def _points(share: float) -> str:
    return f"{share * 100:.1f}"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"

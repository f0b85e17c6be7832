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
        reasons += _better(against["base"], settings, "the bare base")
    if settings.beat_baseline and "baseline" in against:
        reasons += _better(against["baseline"], settings, "the no-training baseline", least=0.0)
    reasons += [f"guard {g.name}: {g.broken}" for g in guards if g.broken]
    if settings.hold_on_slices:
        reasons += [_slice_reason(s) for s in slices if s.broken]
    reasons += _length(evidence.tokens, settings.max_token_ratio)
    return Decision(not reasons, tuple(reasons) or (_won(first),), against, tuple(guards), tuple(slices))


def with_blind(decision: Decision, blind: Blind, settings: GatePart) -> Decision:
    """The decision once people have compared: their word can only hold."""
    if blind.share is None:
        against = "nobody compared the pairs that were asked for blindly"
    elif blind.share < settings.blind_share:
        against = (
            f"people who compared blindly chose the challenger in {blind.share:.1%} of"
            f" {blind.won + blind.lost + blind.tied} pairs (a tie is half); the gate asks for at least"
            f" {settings.blind_share:.1%}"
        )
    else:
        return decision
    reasons = (against,) if decision.promote else (*decision.reasons, against)
    return Decision(False, reasons, decision.against, decision.guards, decision.slices)


def _enough(c: Comparison, settings: GatePart) -> Iterable[str]:
    if len(c.unpaired) > settings.guard_tolerance * max(c.n + len(c.unpaired), 1):
        yield (
            f"{len(c.unpaired)} of {c.n + len(c.unpaired)} held-out prompts could not be scored on both"
            " sides; see the errors of the evaluation"
        )
    if c.n < settings.min_prompts:
        yield f"only {c.n} held-out prompts were scored on both sides; at least {settings.min_prompts} needed"


def _better(
    c: Comparison, settings: GatePart, other: str = "", *, least: float | None = None
) -> Iterable[str]:
    """Why ``c`` is no proof of a gain. ``other`` names the other side unless it is the champion."""
    against = f" against {other}" if other else ""
    if c.effect is None or c.p_value is None:
        if other:  # of the champion it is said already that there are too few
            yield f"challenger and {other} could not be scored on the same held-out prompts"
        return
    least = settings.min_effect if least is None else least
    if c.effect < 0:
        yield f"held-out accuracy fell by {_points(-c.effect)}{against}"
    elif c.effect == 0:
        yield f"held-out accuracy did not change{against}"
    elif c.effect < least:
        yield (
            f"held-out accuracy rose by {_points(c.effect)}{against},"
            f" the gate asks for at least {_points(least)}"
        )
    if c.p_value >= settings.alpha:
        yield (
            f"the difference{against} may be chance: p = {_p(c.p_value)},"
            f" the gate asks for below {settings.alpha:g}"
        )


def _slice_reason(s: SliceResult) -> str:
    return (
        f"slice {s.by} {s.name} broke: from {s.before:.1%} to {s.after:.1%} on its {s.n} held-out prompts"
        f" ({s.lost} lost, {s.gained} put right, p = {_p(s.p_value)} after Holm's correction)"
    )


def _length(tokens: tuple[float | None, float | None], most: float | None) -> Iterable[str]:
    if most is None:
        return
    before, after = tokens
    if before is None or after is None:
        yield "guard length: the answers' tokens were not counted on both sides"
    elif after > most * before:
        yield (
            f"guard length: answers went from {before:.1f} to {after:.1f} tokens on average;"
            f" at most {most:g} times the champion's are allowed"
        )


def _won(c: Comparison) -> str:
    assert c.effect is not None
    assert c.ci95 is not None
    assert c.p_value is not None
    return (
        f"held-out accuracy rose by {_points(c.effect)} ({_interval(c.ci95)}) on {c.n} prompts:"
        f" {len(c.gained)} put right, {len(c.lost)} lost, p = {_p(c.p_value)}"
    )


def _points(share: float) -> str:
    return f"{share * 100:.1f} points"


def _interval(ci: tuple[float, float]) -> str:
    return f"95 % interval {ci[0] * 100:+.1f} to {ci[1] * 100:+.1f}"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"

"""Guards: what must not get worse while the held-out figure rises. Each is a paired test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loop.evaluate.comparison import Comparison, Outcomes, compare
from loop.evaluate.paired import fall_p_value, holm, paired


@dataclass(frozen=True, slots=True)
class Guard:
    """Outcomes by prompt id of something that should be true: right on a probe, readable, come to an end."""

    champion: Outcomes
    challenger: Outcomes


@dataclass(frozen=True, slots=True)
class GuardResult:
    """``p_value`` is one-sided, of a fall, Holm-adjusted over the guards; ``broken`` says why, else is ""."""

    name: str
    comparison: Comparison
    p_value: float
    broken: str


def results(guards: Mapping[str, Guard], *, margin: float, alpha: float) -> list[GuardResult]:
    """A guard is broken when it fell by more than ``margin``, or by less but beyond chance at ``alpha``.

    The classical rule, that the fall's upper bound must stay within the margin, would hold nearly everything
    on a small probe set: with 100 prompts and a few flips the bound alone is wider than any sensible margin.
    So the point estimate is held to the margin, and a fall that is no chance counts however small. A guard
    of which more than ``margin`` could not be scored on both sides is broken, too: errors must not hide
    losses.
    """
    compared, falls = [], []
    for guard in guards.values():
        compared.append(compare(guard.champion, guard.challenger))
        a, b, _ = paired(guard.champion, guard.challenger)
        falls.append(fall_p_value(a, b))
    return [
        GuardResult(name, comparison, p, _broken(comparison, p, margin, alpha))
        for name, comparison, p in zip(guards, compared, holm(falls), strict=True)
    ]


def _broken(c: Comparison, p_value: float, margin: float, alpha: float) -> str:
    if c.effect is None:
        return "could not be measured on both sides"
    if len(c.unpaired) > margin * (c.n + len(c.unpaired)):
        return f"{len(c.unpaired)} of {c.n + len(c.unpaired)} prompts could not be scored on both sides"
    went = f"went from {c.before:.1%} to {c.after:.1%}"
    if -c.effect > margin + 1e-12:  # 0.90 - 0.85 is a hair more than 0.05 in floating point
        return f"{went}, worse by more than the {margin * 100:.1f} points allowed"
    if p_value < alpha:
        return f"{went}, which is no chance ({len(c.lost)} lost, {len(c.gained)} gained, p = {p_value:.2g})"
    return ""

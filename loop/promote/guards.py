"""Guards: what must not get worse while the held-out figure rises. Each is a paired test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loop.evaluate.comparison import Comparison, Outcomes, compare
from loop.evaluate.paired import fall_p_value, holm, paired
from loop.promote import words


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
        return words.UNMEASURED
    if len(c.unpaired) > margin * (c.n + len(c.unpaired)):
        return words.UNSCORED.format(n=len(c.unpaired), all=c.n + len(c.unpaired))
    went = {"before": f"{c.before:.1%}", "after": f"{c.after:.1%}"}
    if -c.effect > margin + 1e-12:  # 0.90 - 0.85 is a hair more than 0.05 in floating point
        return words.WORSE.format(**went, margin=f"{margin * 100:.1f}")
    if p_value < alpha:
        p = f"{p_value:.2g}"
        return words.NO_CHANCE.format(**went, lost=len(c.lost), gained=len(c.gained), p=p)
    return ""

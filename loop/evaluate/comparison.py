"""Two models on the same prompts, in full: how far apart, how sure, and which prompts made the difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loop.evaluate.paired import mcnemar, paired_bootstrap

Outcomes = Mapping[str, bool | None]  # prompt id -> right, wrong, or None: could not be scored


@dataclass(frozen=True, slots=True)
class Comparison:
    """Shares (0.02 = 2 points) over the ``n`` prompts that both sides were scored on; None where n is 0.

    Prompt ids: ``gained`` were wrong before and are right now, ``lost`` the other way round, ``unpaired``
    could not be scored on one side, so they say nothing either way.
    """

    before: float | None
    after: float | None
    effect: float | None
    ci95: tuple[float, float] | None
    p_value: float | None  # two-sided exact McNemar
    n: int
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    unpaired: tuple[str, ...]


def compare(before: Outcomes, after: Outcomes) -> Comparison:
    """``after`` against ``before``, prompt by prompt."""
    everyone = sorted(before.keys() | after.keys())
    scored = [i for i in everyone if before.get(i) is not None and after.get(i) is not None]
    unpaired = tuple(i for i in everyone if before.get(i) is None or after.get(i) is None)
    if not scored:
        return Comparison(None, None, None, None, None, 0, (), (), unpaired)
    a, b = [before[i] is True for i in scored], [after[i] is True for i in scored]
    size = paired_bootstrap(a, b)
    return Comparison(
        before=sum(a) / len(a),
        after=sum(b) / len(b),
        effect=size.effect,
        ci95=size.ci95,
        p_value=mcnemar(a, b).p_value,
        n=len(scored),
        gained=tuple(i for i, x, y in zip(scored, a, b, strict=True) if y and not x),
        lost=tuple(i for i, x, y in zip(scored, a, b, strict=True) if x and not y),
        unpaired=unpaired,
    )

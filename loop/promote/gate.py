"""Whether a challenger replaces the champion: paired test, least effect, guards, reasons in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from loop.evaluate.paired import mcnemar, paired, paired_bootstrap
from loop.recipe import GatePart


@dataclass(frozen=True, slots=True)
class Guard:
    """A share (0..1) that must not get much worse, e.g. probe accuracy or answers that cannot be read.

    A side that could not be measured is None: then the guard holds the promotion.
    """

    champion: float | None
    challenger: float | None
    higher_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Flips:
    gained: int = 0  # prompts wrong before, right now
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """``effect`` and ``ci95`` are shares (0.02 = 2 points); None when too little was measured."""

    promote: bool
    reasons: tuple[str, ...]
    effect: float | None
    ci95: tuple[float, float] | None
    p_value: float | None
    n: int  # paired prompts
    flips: Flips = field(default_factory=Flips)
    left_out: int = 0  # prompts that one side could not be scored on


def decide(
    champion: Mapping[str, bool | None],
    challenger: Mapping[str, bool | None],
    guards: Mapping[str, Guard],
    settings: GatePart,
    *,
    seed: int = 0,
) -> Decision:
    """Compare held-out outcomes per prompt id (None = could not be scored) and say promote or hold.

    Every reason against is listed; a promotion gives the one reason for it.
    """
    before, after, left_out = paired(champion, challenger)
    n = len(before)
    against = [_guard_reason(name, guard, settings.guard_tolerance) for name, guard in guards.items()]
    if left_out > settings.guard_tolerance * max(n + left_out, 1):
        against.append(
            f"{left_out} of {n + left_out} held-out prompts could not be scored on both sides;"
            " see the errors of the evaluation"
        )
    if n < settings.min_prompts:
        against.append(
            f"only {n} held-out prompts were scored on both sides; at least {settings.min_prompts} needed"
        )
    if not n:
        return Decision(False, tuple(filter(None, against)), None, None, None, 0, left_out=left_out)
    test = mcnemar(before, after)
    size = paired_bootstrap(before, after, seed=seed)
    against.append(_effect_reason(size.effect, settings.min_effect))
    if test.p_value >= settings.alpha:
        against.append(
            f"the difference may be chance: p = {_p(test.p_value)},"
            f" the gate asks for below {settings.alpha:g}"
        )
    reasons = tuple(filter(None, against))
    won = (
        f"held-out accuracy rose by {_points(size.effect)} ({_interval(size.ci95)}) on {n} prompts:"
        f" {test.gained} put right, {test.lost} lost, p = {_p(test.p_value)}"
    )
    return Decision(
        promote=not reasons,
        reasons=reasons or (won,),
        effect=size.effect,
        ci95=size.ci95,
        p_value=test.p_value,
        n=n,
        flips=Flips(test.gained, test.lost),
        left_out=left_out,
    )


def _effect_reason(effect: float, least: float) -> str:
    if effect < 0:
        return f"held-out accuracy fell by {_points(-effect)}"
    if effect == 0:
        return "held-out accuracy did not change"
    if effect < least:
        return f"held-out accuracy rose by {_points(effect)}, the gate asks for at least {_points(least)}"
    return ""


def _guard_reason(name: str, guard: Guard, tolerance: float) -> str:
    if guard.champion is None or guard.challenger is None:
        return f"guard {name}: could not be measured on both sides"
    worse = guard.champion - guard.challenger if guard.higher_is_better else guard.challenger - guard.champion
    if worse <= tolerance + 1e-12:  # 0.90 - 0.85 is a hair more than 0.05 in floating point
        return ""
    return (
        f"guard {name}: went from {guard.champion:.1%} to {guard.challenger:.1%},"
        f" worse by more than the {_points(tolerance)} allowed"
    )


def _points(share: float) -> str:
    return f"{share * 100:.1f} points"


def _interval(ci: tuple[float, float]) -> str:
    return f"95 % interval {ci[0] * 100:+.1f} to {ci[1] * 100:+.1f}"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"

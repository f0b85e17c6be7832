"""How far one person's answers may be relied upon: gold, silent repeats, sides, anchoring, drift, pace.

Everything takes plain values and returns shares with their 95 % interval. An answer that could not be
scored (the person was not sure) is ``None``: it is counted in ``Rate.errors``, never as wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import erfc, hypot, sqrt
from statistics import median
from typing import TypeVar

from loop.annotate.agreement import near
from loop.evaluate.rates import Rate, accuracy
from loop.phrases import phrase
from loop.records import Verdict

K = TypeVar("K", int, str, date)
T = TypeVar("T")
F = TypeVar("F")

ITEM_CAP = 600.0  # seconds; whoever looks longer than this at one item was most likely away
STEP_CAP = 120.0  # seconds


# ------------------------------------------------------------------------------------------------ gold
@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement of one response. ``first_error``: 0-based step; None: no step was marked wrong."""

    verdict: Verdict
    first_error: int | None = None

    @property
    def sure(self) -> bool:
        return self.first_error is not None or self.verdict.decided


@dataclass(frozen=True, slots=True)
class GoldAccuracy:
    verdict: Rate
    exact: Rate  # the first error in the very step, or rightly none
    within_one: Rate  # at most one step beside it; "no error" is beside nothing


def gold_accuracy(pairs: Iterable[tuple[Judged, Judged]]) -> GoldAccuracy:
    """Over (what is known, what the person said). Who was not sure is not scored."""
    seen = list(pairs)
    both = [(a, b) if a.sure and b.sure else None for a, b in seen]
    return GoldAccuracy(
        accuracy(
            a.verdict is b.verdict if a.verdict.decided and b.verdict.decided else None for a, b in seen
        ),
        accuracy(p and near(p[0].first_error, p[1].first_error, 0) for p in both),
        accuracy(p and near(p[0].first_error, p[1].first_error, 1) for p in both),
    )


def same_judgement(first: Judged, second: Judged) -> bool | None:
    """The same first error, or none in both and the same verdict; None where one was not sure."""
    if not (first.sure and second.sure):
        return None
    if first.first_error is None and second.first_error is None:
        return first.verdict is second.verdict
    return first.first_error == second.first_error


# ------------------------------------------------------------------------------------- silent repeats
def self_consistency(repeats: Iterable[tuple[Hashable, Hashable]]) -> Rate:
    """Share of silent repeats answered exactly as before, over (earlier answer, later answer)."""
    return accuracy(a == b for a, b in repeats)


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison as it was displayed. ``order``: response ids, the first or left one first;
    ``winner``: the id of the better one, None where it was a tie or all were bad.

    Raises:
        ValueError: the winner was not displayed, or nothing was compared.
    """

    order: tuple[str, ...]
    winner: str | None

    def __post_init__(self) -> None:
        if len(set(self.order)) != len(self.order) or len(self.order) < 2:
            raise ValueError(f"a comparison needs different responses, got {self.order}")
        if self.winner is not None and self.winner not in self.order:
            raise ValueError(f"the winner {self.winner!r} was not displayed")


@dataclass(frozen=True, slots=True)
class PreferenceConsistency:
    """Share of repeats with the same winner: in another order than before, and in the same order.

    Where ``swapped`` is clearly below ``unswapped`` it is the place that was chosen.
    """

    swapped: Rate
    unswapped: Rate


def preference_consistency(repeats: Iterable[tuple[Compared, Compared]]) -> PreferenceConsistency:
    """Over (earlier, later) answers to the same comparison.

    Raises:
        ValueError: the two are not of the same responses.
    """
    swapped: list[bool] = []
    unswapped: list[bool] = []
    for earlier, later in repeats:
        if set(earlier.order) != set(later.order):
            raise ValueError(f"no repeat: {earlier.order} and {later.order}")
        side = unswapped if earlier.order == later.order else swapped
        side.append(earlier.winner == later.winner)
    return PreferenceConsistency(accuracy(swapped), accuracy(unswapped))


# ----------------------------------------------------------------------------------------------- sides
@dataclass(frozen=True, slots=True)
class SideBias:
    """Comparisons of ``candidates`` responses. ``first``: share in which the first displayed one won
    (``errors``: those without a winner); ``p_value``: exact, two-sided, against 1 / ``candidates``,
    None where nothing was decided.
    """

    candidates: int
    first: Rate
    p_value: float | None


def side_bias(compared: Iterable[Compared]) -> list[SideBias]:
    """One row per number of candidates, fewest first. Orders must have been drawn at random: only then
    does the first one win as often as any other when nobody minds the place.
    """
    from scipy.stats import binomtest  # slow to import; only whoever tests pays for it

    rows = []
    for candidates, group in _groups((len(c.order), c) for c in compared):
        first = accuracy(None if c.winner is None else c.winner == c.order[0] for c in group)
        wins = sum(c.winner == c.order[0] for c in group)
        p_value = float(binomtest(wins, first.n, 1 / candidates).pvalue) if first.n else None
        rows.append(SideBias(candidates, first, p_value))
    return rows


# ------------------------------------------------------------------------------------------- anchoring
@dataclass(frozen=True, slots=True)
class Difference:
    """``first`` minus ``second``; ``value`` and ``ci95`` are None where either side has nothing scored."""

    value: float | None
    first: Rate
    second: Rate
    ci95: tuple[float, float] | None


def rate_difference(first: Rate, second: Rate) -> Difference:
    """Difference of two independent shares with Newcombe's hybrid score interval, from the Wilson
    interval of each (Newcombe, 1998, Statistics in Medicine 17:873-890, method 10).
    """
    if first.value is None or second.value is None or first.ci95 is None or second.ci95 is None:
        return Difference(None, first, second, None)
    p, (low_p, high_p) = first.value, first.ci95
    q, (low_q, high_q) = second.value, second.ci95
    ci95 = (p - q - hypot(p - low_p, high_q - q), p - q + hypot(high_p - p, q - low_q))
    return Difference(p - q, first, second, ci95)


def anchoring(answers: Iterable[tuple[bool, bool | None]]) -> Difference:
    """How much more often people agree with the model's critique when they see it.

    Args:
        answers: (the critique was shown, the answer agrees with it: see `same_judgement`). Only where
            showing was decided by chance is the difference the effect of having seen it.
    """
    by_shown = defaultdict(list)
    for shown, agrees in answers:
        by_shown[shown].append(agrees)
    return rate_difference(accuracy(by_shown[True]), accuracy(by_shown[False]))


# ----------------------------------------------------------------------------------------------- drift
def iso_week(day: date) -> str:
    """The ISO 8601 week, as 2026-W07: sorts by time."""
    year, week, _ = day.isocalendar()
    return f"{year:04}-W{week:02}"


def by_group(rows: Iterable[tuple[K, T]], figure: Callable[[list[T]], F]) -> list[tuple[K, F]]:
    """``figure`` of each group's values, by ascending key (a week, a guideline version, a person).

    ``figure`` is anything that takes a list, so that a row has its n and interval:
    `loop.evaluate.rates.accuracy` over outcomes, `loop.annotate.agreement.alpha` over items.
    """
    return [(key, figure(values)) for key, values in _groups(rows)]


@dataclass(frozen=True, slots=True)
class Trend:
    """``slope``: change of the share per unit of time; None, with its ``reason``, where not defined."""

    slope: float | None
    n: int
    p_value: float | None
    reason: str = ""


def trend(rows: Iterable[tuple[float, bool | None]]) -> Trend:
    """Whether a share rises or falls: Cochran-Armitage test, two-sided (Armitage, 1955, Biometrics 11).

    The statistic is n r² with one degree of freedom, r being the correlation of time and outcome. It is
    an approximation: with fewer than about five of either outcome read it with care.

    Args:
        rows: (time, outcome). Time in any unit: weeks, a version's number.
    """
    seen = [(x, float(y)) for x, y in rows if y is not None]
    n = len(seen)
    if not n:
        return Trend(None, 0, None, phrase("nothing was scored"))
    mean_x, mean_y = sum(x for x, _ in seen) / n, sum(y for _, y in seen) / n
    xx = sum((x - mean_x) ** 2 for x, _ in seen)
    yy = sum((y - mean_y) ** 2 for _, y in seen)
    xy = sum((x - mean_x) * (y - mean_y) for x, y in seen)
    if len({x for x, _ in seen}) == 1:
        return Trend(None, n, None, phrase("everything is of one time"))
    if len({y for _, y in seen}) == 1:
        return Trend(0.0, n, None, phrase("the outcome was always the same"))
    return Trend(xy / xx, n, erfc(sqrt(n * xy**2 / (xx * yy) / 2)))


# ------------------------------------------------------------------------------------------------ pace
@dataclass(frozen=True, slots=True)
class Answered:
    """Seconds that one answer took, None where nobody measured; ``steps``: seconds on each step seen."""

    seconds: float | None
    steps: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Throughput:
    """``n`` answers with a time took ``seconds`` together; a time above its cap counts as the cap."""

    n: int
    seconds: float
    per_hour: float | None
    median_item: float | None
    median_step: float | None
    untimed: int
    capped: int  # answers and steps that were cut to the cap


def throughput(
    answers: Iterable[Answered], *, item_cap: float = ITEM_CAP, step_cap: float = STEP_CAP
) -> Throughput:
    """Answers per hour of work, and the median seconds per item and per step that was looked at."""
    seen = list(answers)
    items = [a.seconds for a in seen if a.seconds]
    steps = [s for a in seen for s in a.steps if s > 0]
    total = sum(min(s, item_cap) for s in items)
    return Throughput(
        n=len(items),
        seconds=total,
        per_hour=3600 * len(items) / total if items else None,
        median_item=median(min(s, item_cap) for s in items) if items else None,
        median_step=median(min(s, step_cap) for s in steps) if steps else None,
        untimed=len(seen) - len(items),
        capped=sum(s > item_cap for s in items) + sum(s > step_cap for s in steps),
    )


def _groups(rows: Iterable[tuple[K, T]]) -> list[tuple[K, list[T]]]:
    groups: dict[K, list[T]] = defaultdict(list)
    for key, value in rows:
        groups[key].append(value)
    return sorted(groups.items(), key=lambda group: group[0])

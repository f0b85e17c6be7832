"""What refinement did to right and wrong responses, and how much of a response it changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CorrectionMatrix:
    """Counts of (first version, final version) outcomes over responses that were scored both times."""

    wrong_to_right: int = 0
    right_to_wrong: int = 0
    right_to_right: int = 0
    wrong_to_wrong: int = 0
    errors: int = 0  # pairs left out because one side could not be scored

    @property
    def n(self) -> int:
        return self.wrong_to_right + self.right_to_wrong + self.right_to_right + self.wrong_to_wrong


def correction_matrix(pairs: Iterable[tuple[bool | None, bool | None]]) -> CorrectionMatrix:
    """Count (outcome before, outcome after) pairs."""
    counts = {(False, True): 0, (True, False): 0, (True, True): 0, (False, False): 0}
    errors = 0
    for before, after in pairs:
        if before is None or after is None:
            errors += 1
        else:
            counts[before, after] += 1
    return CorrectionMatrix(
        counts[False, True], counts[True, False], counts[True, True], counts[False, False], errors
    )


# ------------------------------------------------------------------- statistics of the matrix's four cells
# Each takes the cells wr, rw, rr, ww (first letter: before; second: after) as numbers or as arrays of
# resampled sums, and is nan where it is not defined.


def acc_1(wr: Any, rw: Any, rr: Any, ww: Any) -> Any:
    """Share right at first."""
    return (rw + rr) / (wr + rw + rr + ww)


def acc_2(wr: Any, rw: Any, rr: Any, ww: Any) -> Any:
    """Share right in the end."""
    return (wr + rr) / (wr + rw + rr + ww)


def delta(wr: Any, rw: Any, rr: Any, ww: Any) -> Any:
    """Acc2 - Acc1, which is P(wrong -> right) - P(right -> wrong) (Kumar et al., 2024, arXiv:2409.12917)."""
    return (wr - rw) / (wr + rw + rr + ww)


def confidence_level(wr: Any, rw: Any, rr: Any, ww: Any) -> Any:
    """CL: share of what was right at first that is right in the end (Yang et al., 2024, arXiv:2412.19513)."""
    return rr / (rr + rw)


def critique_score(wr: Any, rw: Any, rr: Any, ww: Any) -> Any:
    """CS: share of what was wrong at first that is right in the end; Acc2 = Acc1 CL + (1 - Acc1) CS."""
    return wr / (wr + ww)


def relative_self_correction(wr: Any, rw: Any, rr: Any, ww: Any) -> Any:
    """RSS = (Acc2 - Acc1²) / (2 Acc1 (1 - Acc1)): 0 at the lower bound Acc1² of Acc2, 1 at its upper bound
    (arXiv:2412.19513)."""
    first = acc_1(wr, rw, rr, ww)
    return (acc_2(wr, rw, rr, ww) - first**2) / (2 * first * (1 - first))


# ----------------------------------------------------------------------------------------------- edits


def edit_ratio(before: str, after: str) -> float:
    """Levenshtein distance over words, divided by the longer side's number of words: 0 the same, 1 nothing
    kept.

    How far a rewrite moves; mass at 0 is the collapse into not correcting (arXiv:2409.12917). Words rather
    than characters: a number changed is one edit, and texts are five times shorter. White space does not
    count.
    """
    a, b = before.split(), after.split()
    longest = max(len(a), len(b))
    return edit_distance(a, b) / longest if longest else 0.0


def edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Least number of insertions, deletions and substitutions that make ``b`` of ``a``.

    A column of the table is two whole numbers with a bit per row, so a step costs as much as one addition
    (Myers, 1999, Journal of the ACM 46; in the form of Hyyrö, 2003).
    """
    start, end_a, end_b = 0, len(a), len(b)
    while start < end_a and start < end_b and a[start] == b[start]:
        start += 1
    while end_a > start and end_b > start and a[end_a - 1] == b[end_b - 1]:
        end_a, end_b = end_a - 1, end_b - 1
    a, b = a[start:end_a], b[start:end_b]
    if not a or not b:
        return len(a) or len(b)
    places: dict[str, int] = {}
    for i, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << i
    whole, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    rises, falls, distance = whole, 0, len(a)
    for word in b:
        equal = places.get(word, 0)
        diagonal = (((equal & rises) + rises) ^ rises) | equal | falls
        up, down = falls | ~(diagonal | rises) & whole, rises & diagonal
        distance += bool(up & last) - bool(down & last)
        up = up << 1 | 1
        rises = (down << 1 | ~(diagonal | up)) & whole
        falls = up & diagonal & whole
    return distance

"""How to go on from what is known: the steps that still lead to the answer."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations

from loop.domains.arithmetic.algebra import (
    PRIME,
    Formula,
    Part,
    Problem,
    combine,
    combine_prints,
    factors,
    terms,
)


class Known:
    """Quantities written down so far: the problem's numbers, then every good step's result."""

    def __init__(self, problem: Problem) -> None:
        self.prints: set[int] = set()
        self.by_value: dict[Fraction, list[int]] = {}
        self.said: Counter[str] = Counter()  # how often each equation was written
        for formula in problem.numbers:
            self.add(formula.print, formula.value)

    def add(self, fingerprint: int, value: Fraction) -> None:
        self.prints.add(fingerprint)
        self.by_value.setdefault(value, []).append(fingerprint)

    def value_of(self, fingerprint: int) -> Fraction | None:
        for value, prints in self.by_value.items():
            if fingerprint in prints:
                return value
        return None


def number_text(value: Fraction) -> str:
    """``36`` or ``2.5``: whole where it is whole."""
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.6g}"


def next_steps(problem: Problem, known: Known) -> list[str]:
    """Equations from here to the answer, without the answer line.

    The story's own order when only its own results are known; otherwise the shortest way that uses
    the partial sums and products found so far.
    """
    plain = _Writer(known)
    plain.formula(problem.answer)
    own = {f.print for f in (*problem.numbers, *problem.results)}
    if known.prints <= own:
        return plain.steps
    merged = _Writer(known, merge=True)
    merged.formula(problem.answer)
    usable = all(v.denominator == 1 and v > 0 for v in merged.made)
    return merged.steps if usable and len(merged.steps) < len(plain.steps) else plain.steps


class _Writer:
    """Writes the steps of a formula, depth first, and remembers what it wrote."""

    def __init__(self, known: Known, merge: bool = False) -> None:
        self.known = known
        self.merge = merge
        self.steps: list[str] = []
        self.made: list[Fraction] = []
        self._done = set(known.prints)

    def formula(self, formula: Formula) -> None:
        if formula.print in self._done:
            return
        if self.merge:
            parts = terms(formula) or factors(formula)
            ops = ("+", "-") if formula.op in ("+", "-") else ("*", "/")
            self._parts(self._merged(parts, *ops), *ops)
        else:
            self._operation(formula)

    def _operation(self, formula: Formula) -> None:
        left, right = formula.children
        self.formula(left)
        self.formula(right)
        self.steps.append(
            f"{number_text(left.value)} {formula.op} {number_text(right.value)} = "
            f"{number_text(formula.value)}"
        )
        self.made.append(formula.value)
        self._done.add(formula.print)

    def _merged(self, parts: list[Part], plus: str, minus: str) -> list[Part]:
        """Replace groups of parts whose combination is already known, the largest first."""
        for size in range(len(parts) - 1, 1, -1):
            for group in combinations(range(len(parts)), size):
                total: int | None = 0 if plus == "+" else 1
                for i in group:
                    positive, part = parts[i]
                    total = (
                        None
                        if total is None
                        else combine_prints(plus if positive else minus, total, part.print)
                    )
                flipped = None
                if total is not None:
                    flipped = -total % PRIME if plus == "+" else combine_prints("/", 1, total)
                for positive, fingerprint in ((True, total), (False, flipped)):
                    value = None if fingerprint is None else self.known.value_of(fingerprint)
                    if fingerprint is not None and value is not None:
                        rest = [p for i, p in enumerate(parts) if i not in group]
                        return self._merged([(positive, Formula("", fingerprint, value)), *rest], plus, minus)
        return parts

    def _parts(self, parts: list[Part], plus: str, minus: str) -> None:
        parts = sorted(parts, key=lambda p: not p[0])  # start from something that is added
        (_, total), *rest = parts
        self.formula(total)
        for positive, part in rest:
            self.formula(part)
            total = combine(plus if positive else minus, total, part)
            if total.print not in self._done:
                self._operation(total)

"""Which quantities belong to a problem, whatever the order in which they are computed.

Every number of the problem gets a random *fingerprint*, an element of a prime field; a formula's
fingerprint is the formula computed there. Equal fingerprints mean equal formulas (up to chance of
about 2**-60), so 24 + 36 and 36 + 24 agree while 2 + 2 and 2 * 2 do not, though both make 4.
A quantity is *useful* when it is part of some way of writing the problem's answer: any partial sum
or product after flattening, with products over sums also multiplied out.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from random import Random

PRIME = (1 << 61) - 1
Program = tuple[tuple[str, str, str], ...]
# A flattened term or factor: (True if added or multiplied, False if subtracted or divided by; formula)
Part = tuple[bool, "Formula"]


@dataclass(frozen=True, slots=True)
class Formula:
    """A number of the problem (``op == ""``) or an operation on two formulas."""

    op: str
    print: int  # fingerprint
    value: Fraction
    left: Formula | None = None
    right: Formula | None = None

    @property
    def children(self) -> tuple[Formula, Formula]:
        assert self.left is not None, "a bare number has no children"
        assert self.right is not None, "a bare number has no children"
        return self.left, self.right


@dataclass(frozen=True, slots=True)
class Problem:
    """What the judge needs of a prompt: all numbers, every intermediate result, and the answer."""

    numbers: tuple[Formula, ...]  # distractors included
    results: tuple[Formula, ...]  # of the program's operations, in order
    useful: frozenset[int]  # fingerprints; a difference is useful with either sign

    @property
    def answer(self) -> Formula:
        return self.results[-1]


def combine_prints(op: str, a: int, b: int) -> int | None:
    """The operation on fingerprints; None for a division by zero."""
    if op == "/":
        return a * pow(b, -1, PRIME) % PRIME if b % PRIME else None
    return {"+": a + b, "-": a - b, "*": a * b}[op] % PRIME


def combine(op: str, a: Formula, b: Formula) -> Formula:
    print_ = combine_prints(op, a.print, b.print)
    if print_ is None or (op == "/" and b.value == 0):
        raise ValueError("the program divides by zero")
    value = {"+": a.value + b.value, "-": a.value - b.value, "*": a.value * b.value}.get(op)
    return Formula(op, print_, a.value / b.value if value is None else value, a, b)


@lru_cache(maxsize=4096)
def problem_from(program: Program, numbers: tuple[int, ...]) -> Problem:
    """Raises ValueError when the program names numbers or results that do not exist."""
    rng = Random(97)
    leaves = tuple(Formula("", rng.randrange(2, PRIME), Fraction(n)) for n in numbers)
    results: list[Formula] = []
    for op, left, right in program:
        pool = {**{f"n{i}": f for i, f in enumerate(leaves)}, **{f"s{i}": f for i, f in enumerate(results)}}
        if op not in ("+", "-", "*", "/") or left not in pool or right not in pool:
            raise ValueError(f"cannot read the program's step [{op}, {left}, {right}]")
        results.append(combine(op, pool[left], pool[right]))
    if not results:
        raise ValueError("the program is empty")
    useful: set[int] = {r.print for r in results}
    _collect(results[-1], useful, set())
    return Problem(leaves, tuple(results), frozenset(useful))


def _collect(formula: Formula, useful: set[int], seen: set[tuple[str, int, int]]) -> None:
    if not formula.op:
        return
    left, right = formula.children
    key = (formula.op, left.print, right.print)
    if key in seen:
        return
    seen.add(key)
    additive = formula.op in ("+", "-")
    parts = terms(formula) if additive else factors(formula)
    for size in range(2, len(parts) + 1):
        for subset in combinations(parts, size):
            useful.update(_partial(subset, additive=additive))
    for _, part in parts:
        _collect(part, useful, seen)
    for spread in multiplied_out(formula):
        _collect(spread, useful, seen)


def _partial(subset: tuple[Part, ...], *, additive: bool) -> list[int]:
    """Fingerprints of a partial sum (either sign) or a partial product (either way up)."""
    total = 0 if additive else 1
    for positive, part in subset:
        op = ("+" if positive else "-") if additive else ("*" if positive else "/")
        combined = combine_prints(op, total, part.print)
        if combined is None:
            return []
        total = combined
    if additive:
        return [total, -total % PRIME]
    # 1 / (a * b) is written as a * b: dividing by a product is one route to dividing twice.
    inverse = combine_prints("/", 1, total)
    return [total] if inverse is None else [total, inverse]


def terms(formula: Formula) -> list[Part]:
    """The signed terms of a sum, flattened; empty when the formula is no sum."""
    return _flatten(formula, "+", "-")


def factors(formula: Formula) -> list[Part]:
    """The factors of a product, flattened; empty when the formula is no product."""
    return _flatten(formula, "*", "/")


def _flatten(formula: Formula, plus: str, minus: str) -> list[Part]:
    if formula.op not in (plus, minus):
        return []
    left, right = formula.children
    right_parts = _flatten(right, plus, minus) or [(True, right)]
    if formula.op == minus:
        right_parts = [(not positive, part) for positive, part in right_parts]
    return (_flatten(left, plus, minus) or [(True, left)]) + right_parts


def multiplied_out(formula: Formula) -> list[Formula]:
    """(a + b) * c as a * c + b * c, and the same for division; one level, each way round."""
    if formula.op not in ("*", "/"):
        return []
    left, right = formula.children
    out = []
    if left.op in ("+", "-"):
        a, b = left.children
        out.append(combine(left.op, combine(formula.op, a, right), combine(formula.op, b, right)))
    if formula.op == "*" and right.op in ("+", "-"):
        a, b = right.children
        out.append(combine(right.op, combine("*", left, a), combine("*", left, b)))
    return out

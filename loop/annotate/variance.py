"""How far a model's critiques of one response contradict each other: there a person's word settles most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

Judgement = tuple[int | None, str]  # first error (0-based, None: none) and verdict


@dataclass(frozen=True, slots=True)
class Said:
    """One readable critique. ``text`` may be a digest: it only tells whether two say the same words."""

    critique_id: str
    first_error: int | None
    verdict: str
    text: str = ""

    @property
    def judgement(self) -> Judgement:
        return self.first_error, self.verdict


def disagreement(said: Sequence[Said]) -> float:
    """The share of pairs of critiques that differ in first error or verdict, 0..1; 0 for fewer than two.

    The unbiased estimate of the Gini-Simpson index (Simpson, 1949, doi:10.1038/163688a0): the chance that
    two more critiques of the response contradict each other.
    """
    count = len(said)
    if count < 2:
        return 0.0
    alike = sum(n * (n - 1) for n in Counter(s.judgement for s in said).values())
    return 1.0 - alike / (count * (count - 1))


def telling_pair(said: Sequence[Said]) -> tuple[Said, Said] | None:
    """The two critiques to compare: of the two commonest judgements, each by the first that gave it.

    Where all judge alike, the first two that differ in words; None where nothing differs.
    """
    first_of: dict[Judgement, Said] = {}
    for one in said:
        first_of.setdefault(one.judgement, one)
    ranked = Counter(s.judgement for s in said).most_common(2)  # ties: as they were written
    if len(ranked) == 2:
        return first_of[ranked[0][0]], first_of[ranked[1][0]]
    return next(((a, b) for a, b in combinations(said, 2) if a.text != b.text), None)

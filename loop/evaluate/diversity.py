"""How different the samples of a prompt are from one another, as texts. One number per prompt; nan: none."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, count

import numpy as np

from loop.evaluate.samples import Floats, Ints, divided

# "12 + 5 = 17", "3 × (4 - 1) = 9.0": operators between numbers on the left, a number on the right. It begins
# with a digit that no digit stands before, and has at most 20 terms: texts may be runaways.
_EQUATION = re.compile(
    r"\d(?<![\d.,]\d)[\d.,]*[) ]*(?:[-+*/×÷^][ (]*-?\$?\d[\d.,]*[) ]*){1,20}= *\$?-?\d[\d,]*(?:\.\d+)?"
)
_SPACING = str.maketrans("", "", " ,$()")


def words(texts: Iterable[str]) -> list[list[str]]:
    """What n-grams are made of: runs of characters between white space."""
    return [text.split() for text in texts]


def distinct_n(texts: Sequence[Sequence[str]], group: Ints, groups: int, n: int) -> Floats:
    """Different n-grams / all n-grams in the texts of each group (distinct-n, Li et al., 2016,
    arXiv:1510.03055). No n-gram reaches from one text into the next.

    ``texts``: as `words` gives them; ``group``: of each text, from 0.
    """
    vocabulary: defaultdict[str, int] = defaultdict(count().__next__)
    size = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    tokens = np.fromiter(
        map(vocabulary.__getitem__, chain.from_iterable(texts)), dtype=np.int64, count=int(size.sum())
    )
    starts = _starts(size, n)
    grams = tokens[starts]
    for offset in range(1, n):
        grams = grams * len(vocabulary) + tokens[starts + offset]
        if offset < n - 1:  # numbered anew, or longer ones would overflow
            grams = np.unique(grams, return_inverse=True)[1]
    home = np.repeat(group, np.maximum(size - n + 1, 0))
    return _distinct(grams, home, groups)


def _starts(size: Ints, n: int) -> Ints:
    """Where n-grams begin in the texts laid end to end."""
    begins = np.cumsum(size) - size
    many = np.maximum(size - n + 1, 0)
    within = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    return np.repeat(begins, many) + within


def equations(text: str) -> list[str]:
    """The equations of a text without spaces, brackets, currency and thousands marks."""
    return [found.translate(_SPACING) for found in _EQUATION.findall(text)]


def distinct_equations(texts: Sequence[str], group: Ints, groups: int) -> Floats:
    """Different equations / all equations in the texts of each group (B-STaR, arXiv:2412.17256)."""
    found = list(map(equations, texts))
    size = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
    number: defaultdict[str, int] = defaultdict(count().__next__)
    codes = np.fromiter(
        map(number.__getitem__, chain.from_iterable(found)), dtype=np.int64, count=int(size.sum())
    )
    return _distinct(codes, np.repeat(group, size), groups)


def _distinct(items: Ints, home: Ints, groups: int) -> Floats:
    """Different items / all items of each group."""
    different = np.unique(home * (int(items.max(initial=0)) + 1) + items) // (int(items.max(initial=0)) + 1)
    return divided(
        np.bincount(different, minlength=groups).astype(np.float64),
        np.bincount(home, minlength=groups).astype(np.float64),
    )

"""How different the samples of a prompt are from one another, as texts. One number per prompt; nan: none."""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np

from loop.evaluate.samples import Floats, Ints, divided

# "12 + 5 = 17", "3 × (4 - 1) = 9.0": operators between numbers on the left, a number on the right. It begins
# with a digit that no digit stands before, and has at most 20 terms: texts may be runaways.
_EQUATION = re.compile(
    r"\d(?<![\d.,]\d)[\d.,]*[) ]*(?:[-+*/×÷^][ (]*-?\$?\d[\d.,]*[) ]*){1,20}= *\$?-?\d[\d,]*(?:\.\d+)?"
)
_SPACING = str.maketrans("", "", " ,$()")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of some texts as numbers, equal ones alike, text after text; ``size``: words of each text."""

    codes: Ints
    size: Ints


def words(texts: Iterable[str]) -> Words:
    """Runs of characters between white space."""
    number = defaultdict[str, int](count().__next__).__getitem__
    codes, size = array("q"), array("q")
    for text in texts:
        before = len(codes)
        codes.extend(map(number, text.split()))
        size.append(len(codes) - before)
    return Words(np.array(codes, dtype=np.int64), np.array(size, dtype=np.int64))


def distinct_n(texts: Words, group: Ints, groups: int, n: int) -> Floats:
    """Different n-grams / all n-grams in the texts of each group (distinct-n, Li et al., 2016,
    arXiv:1510.03055); ``group``: of each text, from 0. No n-gram reaches from one text into the next."""
    starts = _starts(texts.size, n)
    grams, width = texts.codes[starts], int(texts.codes.max(initial=0)) + 1
    for offset in range(1, n):
        if offset > 1:  # numbered anew, or they would overflow
            grams = np.unique(grams, return_inverse=True)[1]
        grams = grams * width + texts.codes[starts + offset]
    return _distinct(grams, np.repeat(group, np.maximum(texts.size - n + 1, 0)), groups)


def _starts(size: Ints, n: int) -> Ints:
    """Where n-grams begin in the texts laid end to end."""
    begins = np.cumsum(size) - size
    many = np.maximum(size - n + 1, 0)
    within = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    return np.asarray(np.repeat(begins, many) + within)


def equations(text: str) -> list[str]:
    """The equations of a text without spaces, brackets, currency and thousands marks."""
    return [found.translate(_SPACING) for found in _EQUATION.findall(text)]


def distinct_equations(texts: Sequence[str], group: Ints, groups: int) -> Floats:
    """Different equations / all equations in the texts of each group (B-STaR, arXiv:2412.17256)."""
    number = defaultdict[str, int](count().__next__).__getitem__
    found = [list(map(number, equations(text))) for text in texts]
    size = np.array(list(map(len, found)), dtype=np.int64)
    codes = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=int(size.sum()))
    return _distinct(codes, np.repeat(group, size), groups)


def _distinct(items: Ints, home: Ints, groups: int) -> Floats:
    """Different items / all items of each group."""
    width = int(items.max(initial=0)) + 1
    if width > 2**62 // max(groups, 1):  # numbered anew, or the pairs would overflow
        items = np.unique(items, return_inverse=True)[1]
        width = int(items.max(initial=0)) + 1
    pairs = home * width + items
    pairs.sort()  # many times faster than np.unique, which hashes
    first = np.diff(pairs, prepend=-1) != 0
    return divided(
        np.bincount(pairs[first] // width, minlength=groups).astype(np.float64),
        np.bincount(home, minlength=groups).astype(np.float64),
    )

"""Signs that a model's answers run together: repetition within one, sameness between many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from loop.evaluate.resample import Floats


def repeats(text: str, n: int = 4) -> tuple[int, int]:
    """(n-grams of words that occurred before in the same text, n-grams): the share is seq-rep-n (Welleck et
    al., 2019, arXiv:1908.04319). (0, 0) of a text shorter than n words."""
    grams = _grams(text, n)
    return len(grams) - len(set(grams)), len(grams)


def distinct_parts(texts: Sequence[str], n: int = 2) -> tuple[Floats, Floats]:
    """What each text adds to distinct-n over all: (different n-grams, n-grams), each an array over the texts.

    distinct-n = different n-grams of all texts / n-grams (Li et al., 2015, arXiv:1510.03055). Of one that
    occurs k times each occurrence counts 1/k, so that the parts add up to the whole, and a resample of texts
    can be summed.
    """
    counts = [Counter(_grams(text, n)) for text in texts]
    everywhere: Counter[tuple[str, ...]] = Counter()
    for own in counts:
        everywhere.update(own)
    different = [sum(k / everywhere[gram] for gram, k in own.items()) for own in counts]
    return np.array(different), np.array([own.total() for own in counts], dtype=np.float64)


def modal(answers: Sequence[str | None]) -> str | None:
    """The most frequent answer, the first said of several; None where nobody answered."""
    said = Counter(a for a in answers if a is not None)
    return said.most_common(1)[0][0] if said else None


def _grams(text: str, n: int) -> list[tuple[str, ...]]:
    words = text.split()
    return list(zip(*(words[i:] for i in range(n)), strict=False))

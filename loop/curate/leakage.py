"""Near-copies of held-out prompts among train prompts, by runs of words.

The database keeps a *family* in one split, which stops copies that differ in case, marks or spacing. This
check is for copies with a few words changed. Prompts made from templates share long runs by their nature
("How many … are left with …?"), so that one shared run says nothing: of 4,000 train prompts of the built-in
domain 2,684 share a run of 8 words with one of 700 held-out ones. What counts is how much of *one* held-out
prompt *one* train prompt holds: the share of its runs. Numbers are words: the same story with other numbers
is another problem, as it is to families.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

_WORD = re.compile(r"\w+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Overlap:
    """``share`` of the runs of the held-out prompt ``heldout_id`` occur in the text."""

    heldout_id: int
    share: float


def runs_of(text: str, length: int) -> set[int]:
    """Hashes of all runs of ``length`` words; none where the text is shorter. Valid within this process."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return {hash(" ".join(words[i : i + length])) for i in range(len(words) - length + 1)}


class HeldOut:
    """The runs of the prompts that nothing may be trained on, ready to be compared with."""

    def __init__(self, prompts: Iterable[tuple[int, str]], *, length: int, share: float) -> None:
        """``prompts``: (id, text). Those shorter than ``length`` words are left to the families.

        Raises:
            ValueError: a length below 1, or a share outside (0, 1].
        """
        if length < 1 or not 0 < share <= 1:
            raise ValueError(f"runs of {length} words and a share of {share} compare nothing")
        self.length, self.share = length, share
        self._runs = {pk: runs for pk, text in prompts if (runs := runs_of(text, length))}
        self._index = self._rarest()

    def __len__(self) -> int:
        """How many prompts are compared with."""
        return len(self._runs)

    def _needed(self, runs: set[int]) -> int:
        return max(1, ceil(Fraction(str(self.share)) * len(runs)))

    def _rarest(self) -> dict[int, list[int]]:
        """Run -> prompts to look at when a text has it.

        A text with enough of a prompt's runs has at least one of any (all - enough + 1) of them; taking
        the rarest keeps the lists short where templates make many prompts alike (prefix filtering:
        Chaudhuri, Ganti and Kaushik, 2006).
        """
        common = Counter(run for runs in self._runs.values() for run in runs)
        index: dict[int, list[int]] = defaultdict(list)
        for pk, runs in self._runs.items():
            rarest = sorted(runs, key=lambda run: (common[run], run))
            for run in rarest[: len(runs) - self._needed(runs) + 1]:
                index[run].append(pk)
        return dict(index)

    def nearest(self, text: str) -> Overlap | None:
        """The held-out prompt of which the text holds most, if that is enough to be called a near-copy."""
        runs = runs_of(text, self.length)
        looked_at = {pk for run in runs & self._index.keys() for pk in self._index[run]}
        best: Overlap | None = None
        for pk in sorted(looked_at):
            theirs = self._runs[pk]
            shared = len(theirs & runs)
            share = shared / len(theirs)
            if shared >= self._needed(theirs) and (best is None or share > best.share):
                best = Overlap(pk, share)
        return best

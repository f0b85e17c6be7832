"""What changed between two texts, line by line, and within a changed line word by word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

LONGEST = 600  # words of a changed passage that are compared one by one; longer ones change as a whole


@dataclass(frozen=True, slots=True)
class Line:
    """``sign``: " " kept, "-" gone, "+" new. ``parts``: (changed, text); of a kept line never changed."""

    sign: str
    parts: tuple[tuple[bool, str], ...]

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.parts)


def lines_compared(old: str, new: str) -> list[Line]:
    """All lines of both; where a passage was replaced, what is gone comes before what is new."""
    before, after = old.splitlines(), new.splitlines()
    lines: list[Line] = []
    for op, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if op == "equal":
            lines += [Line(" ", ((False, line),)) for line in before[a:b]]
        elif op == "replace":
            gone, made = words_compared("\n".join(before[a:b]), "\n".join(after[c:d]))
            lines += [Line("-", line) for line in gone] + [Line("+", line) for line in made]
        else:
            lines += [Line("-", ((True, line),)) for line in before[a:b]]
            lines += [Line("+", ((True, line),)) for line in after[c:d]]
    return lines


Parts = tuple[tuple[bool, str], ...]


def words_compared(old: str, new: str) -> tuple[list[Parts], list[Parts]]:
    """The lines of the old and of the new text, each in parts that stayed or changed."""
    before, after = re.findall(r"\s+|\w+|[^\w\s]", old), re.findall(r"\s+|\w+|[^\w\s]", new)
    if len(before) + len(after) > LONGEST:
        return _cut([(True, old)]), _cut([(True, new)])
    gone: list[tuple[bool, str]] = []
    made: list[tuple[bool, str]] = []
    for op, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone.append((op != "equal", "".join(before[a:b])))
        made.append((op != "equal", "".join(after[c:d])))
    return _cut(gone), _cut(made)


def _cut(parts: Sequence[tuple[bool, str]]) -> list[Parts]:
    """One tuple of parts per line."""
    lines: list[list[tuple[bool, str]]] = [[]]
    for changed, text in parts:
        for i, piece in enumerate(text.split("\n")):
            if i:
                lines.append([])
            if piece:
                lines[-1].append((changed, piece))
    return [tuple(line) for line in lines]

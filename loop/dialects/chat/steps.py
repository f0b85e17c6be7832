"""Splitting free text into steps: numbered steps, else paragraphs, else lines.

Steps leave out the white space around them, and everything else belongs to exactly one step. A line
that states the final answer is a step of its own: it can be wrong when all before it is right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from loop.records import Step

# A line that opens a step: 1. or 2) or Step 3: also as **Step 4:** or a heading.
_NUMBERED = re.compile(
    r"^[^\S\n]*(?:[#*_>-]+[^\S\n]*)?(?:Step[ \t]+)?\d{1,3}[.):][*_]*(?=\s|\Z)", re.IGNORECASE | re.MULTILINE
)
_ANSWER = re.compile(
    r"^[^\S\n]*[*_#>-]*[ \t]*(?:(?:the[ \t]+)?(?:final[ \t]+)?answer[*_]*[ \t]*[:=]|A:|\#{4}[^#\n])",
    re.IGNORECASE | re.MULTILINE,
)
_BLANK = re.compile(r"\n\s*\n")


def split(text: str) -> tuple[Step, ...]:
    """Steps with character spans: ``step.text == text[step.start:step.end]``."""
    numbered = [m.start() for m in _NUMBERED.finditer(text)]
    if len(numbered) >= 2:
        cuts = numbered
    else:
        cuts = [m.end() for m in _BLANK.finditer(text.strip())]
        lead = len(text) - len(text.lstrip())
        cuts = [c + lead for c in cuts] or [m.end() for m in re.finditer("\n", text)]
    edges = sorted({0, len(text), *cuts, *(m.start() for m in _ANSWER.finditer(text))})
    steps: list[Step] = []
    for start, end in pairwise(edges):
        content = text[start:end].strip()
        if content:
            at = start + text[start:end].index(content)
            steps.append(Step(len(steps), content, at, at + len(content)))
    return tuple(steps)


def join(steps: Sequence[str]) -> str:
    """One line break between steps where that keeps them apart, else a blank line."""
    lines = "\n".join(steps)
    return lines if [s.text for s in split(lines)] == list(steps) else "\n\n".join(steps)

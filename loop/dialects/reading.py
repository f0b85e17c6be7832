"""Reading the final answer out of free text: the notations that models and data sets use."""

from __future__ import annotations

import re

# "Answer: 5", "**Final answer:** 5", "The answer is 5", "A: 5", "#### 5"; the last one counts.
_STATED = re.compile(
    r"^[ \t]*[*_#>-]*[ \t]*"  # list, heading or emphasis marks
    r"(?:(?:the[ \t]+)?(?:final[ \t]+)?answer[*_]*[ \t]*(?:is[ \t]*:?|[:=])|A:|\#{4})[*_]*"
    r"[ \t]*(\S[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)


def final_answer(text: str) -> str | None:
    r"""The last stated answer: ``\boxed{}`` first, then ``Answer:``, ``A:`` or ``####`` lines; else None."""
    boxed = last_boxed(text)
    if boxed is not None:
        return boxed
    stated = _STATED.findall(text)
    return _tidy(stated[-1]) if stated else None


def last_boxed(text: str) -> str | None:
    r"""The content of the last complete ``\boxed{...}``, braces balanced."""
    at = text.rfind(r"\boxed")
    while at >= 0:
        opening = at + len(r"\boxed")
        if text[opening : opening + 1] == "{":
            depth = 0
            for position in range(opening, len(text)):
                depth += {"{": 1, "}": -1}.get(text[position], 0)
                if depth == 0:
                    return text[opening + 1 : position].strip() or None
        at = text.rfind(r"\boxed", 0, at)
    return None


def _tidy(answer: str) -> str | None:
    return answer.strip().strip("*_").strip() or None

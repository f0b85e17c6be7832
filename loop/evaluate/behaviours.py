"""How often a text shows one of four habits that make self-improvement possible (Gandhi et al., 2025,
arXiv:2503.01307): verification, backtracking, subgoal setting, backward chaining.

The paper counts with a judge model. These are regular expressions over English: cheap, the same for every
iteration, and blind to what is worded otherwise. Compare iterations by them, not languages or models.
Overlapping phrases of one habit count once; upper and lower case are alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from loop.evaluate.samples import Floats

_FIND = r"(?:find|calculate|compute|determine|work out|figure out)"
_GOAL = r"(?:the (?:goal|target|answer|total)|-?\d[\d.,]*)"
# Phrases of each habit, in lower case.
PHRASES: Mapping[str, tuple[str, ...]] = {
    # An explicit check of a result against what was asked.
    "verification": (
        r"(?:let(?:'s| me| us)|to|(?:i|we)(?:'ll| will| can| should)) (?:re-?check|check|verify|confirm)\b",
        r"double[- ]?check(?:ing)?\b",
        r"(?:checking|verifying|verification)\b",
        r"check: ",
        r"(?:this|that|which|it) (?:checks out|matches|agrees with|is consistent with)\b",
        r"(?:does not|doesn't) (?:match|equal|agree|check out)\b",
        r"(?:is not|isn't) (?:equal to )?-?\d",
        r"(?:goal|target) (?:is )?reached\b",
    ),
    # A path is given up for another.
    "backtracking": (
        r"(?:oh )?wait(?:[,!.]| no\b| -)",
        r"(?:let(?:'s| me| us) )?(?:try|start|begin) (?:something else|again|over|another|a different)\b",
        r"(?:go(?:ing)?|went) back (?:to|and)\b",
        r"(?:that|this) (?:is not|isn't) (?:right|correct|going to work)\b",
        r"(?:that|this) is (?:wrong|incorrect)\b",
        r"(?:that|this) (?:does not|doesn't|did not|didn't|won't) (?:seem to )?(?:work|help)\b",
        r"(?:i|we) made (?:a mistake|an error)\b",
        r"on second thought\b",
        r"(?:scratch|undo) that\b",
    ),
    # A part of the problem is named as a goal of its own.
    "subgoals": (
        rf"(?:let(?:'s| me| us)|(?:i|we)(?:'ll| will| need to| must)) (?:first |now |next |then )?{_FIND}\b",
        rf"(?:first|next|to start|the first step is),? (?:to )?{_FIND}\b",
        r"sub-?(?:goal|problem|task)(?: \d+)?:",
        r"break (?:it|this|that|the problem) (?:down|into)\b",
    ),
    # From the goal back to what would give it.
    "backward": (
        r"work(?:ing)? backwards?\b",
        r"(?:start|starting|begin|reason|reasoning) (?:from|with) the (?:goal|target|answer|end|result)\b",
        rf"to (?:get|reach|make|obtain) {_GOAL},? (?:i|we|you) (?:would )?(?:need|must have|could|can use)\b",
        r"what (?:would|do) (?:i|we) need (?:to get|for|to reach)\b",
        r"in reverse\b",
    ),
}

# Substrings are found much faster than patterns: of every match of a habit's phrases, one of these is a part.
_HINTS: Mapping[str, tuple[str, ...]] = {
    "verification": (
        "check", "verif", "confirm", "match", "agree", "consistent", "equal", "is not ", "isn't", "reached",
    ),
    "backtracking": (
        "wait", "try ", "start ", "begin ", " back ", "mistake", "error", "thought", "scratch", "undo",
        "is not ", "isn't", "wrong", "incorrect", " work", "help",
    ),
    "subgoals": (
        "find", "calculate", "compute", "determine", "work out", "figure out", "sub", "break ",
    ),
    "backward": (
        "backward", "the goal", "the target", "the answer", "the end", "the result", "reverse", "to get ",
        "to reach ", "to make ", "to obtain ", "need for", "need to get", "need to reach",
    ),
}  # fmt: skip
_PATTERNS = {name: re.compile(rf"(?<!\w)(?:{'|'.join(phrases)})") for name, phrases in PHRASES.items()}


def count(text: str, habit: str) -> int:
    """How often ``text`` shows a habit: one of `PHRASES`."""
    return _count(text.lower(), _HINTS[habit], _PATTERNS[habit])


def counts(texts: Sequence[str]) -> Mapping[str, Floats]:
    """Of each habit, how often each text shows it."""
    lower = [text.lower() for text in texts]
    return {
        habit: np.array([_count(text, _HINTS[habit], pattern) for text in lower], dtype=np.float64)
        for habit, pattern in _PATTERNS.items()
    }


def _count(text: str, hints: tuple[str, ...], pattern: re.Pattern[str]) -> int:
    """Only lines with a hint are read closely."""
    if not any(hint in text for hint in hints):
        return 0
    return sum(len(pattern.findall(line)) for line in text.split("\n") if any(hint in line for hint in hints))

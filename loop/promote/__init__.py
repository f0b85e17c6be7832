"""The gate: the rule that lets a challenger replace the champion."""

from loop.promote.blind import Blind, blind_result
from loop.promote.gate import Decision, Evidence, decide, with_blind
from loop.promote.guards import Guard
from loop.promote.slices import Slice, slices_of

__all__ = [
    "Blind",
    "Decision",
    "Evidence",
    "Guard",
    "Slice",
    "blind_result",
    "decide",
    "slices_of",
    "with_blind",
]

"""The gate: the rule that lets a challenger replace the champion."""

from loop.promote.gate import Decision, Guard, decide

__all__ = ["Decision", "Guard", "decide"]

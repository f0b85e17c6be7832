"""How well a critic tells right responses from wrong ones, and finds the first error.

The critic's "right" is the positive class: TPR is over responses that are right, TNR over those that are
wrong, so that a critic who stamps everything right has TPR 1, TNR 0 and a balanced accuracy of a half
(Chen et al., 2025, arXiv:2504.19162; first errors: Zheng et al., 2024, arXiv:2412.06559).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loop.annotate.agreement import near
from loop.records import Verdict


@dataclass(frozen=True, slots=True)
class Said:
    """A critic's word on one response. ``first_error``: 0-based, None where it marks none."""

    verdict: Verdict
    first_error: int | None = None
    parsed: bool = True

    @property
    def right(self) -> bool | None:
        """None: it could not be read, or does not decide. Who marks a first error does not call it right."""
        if not self.parsed:
            return None
        if self.first_error is not None:
            return False
        return self.verdict is Verdict.RIGHT if self.verdict.decided else None


# Names of the counts that `verdict_counts` and `location_counts` give, for whoever adds them up.
COUNTS = (
    "critiques", "unread", "decided", "agrees", "right", "right_right", "wrong", "wrong_wrong",
    "clean", "alarms", "located", "exact", "close",
)  # fmt: skip


def verdict_counts(said: Said, truth: bool | None) -> Mapping[str, int]:
    """What one critique adds, given whether the response is right; None: nobody knows.

    ``unread``: not parsed, or parsed without deciding. ``clean``: right responses whose critique was read;
    ``alarms``: those of them in which it marks an error.
    """
    counts = {"critiques": 1, "unread": int(not said.parsed)}
    if truth is None or said.right is None:
        return counts
    counts |= {"decided": 1, "agrees": int(said.right == truth)}
    if truth:
        return counts | {
            "right": 1,
            "right_right": int(said.right),
            "clean": 1,
            "alarms": int(said.first_error is not None),
        }
    return counts | {"wrong": 1, "wrong_wrong": int(not said.right)}


def location_counts(said: Said, first_error: int | None) -> Mapping[str, int]:
    """What one critique of a response with its first error at ``first_error`` (known; None: it has none)
    adds. ``exact``: in that very step, or rightly none; ``close``: at most one step beside it."""
    if said.right is None:
        return {}
    return {
        "located": 1,
        "exact": int(near(said.first_error, first_error, 0)),
        "close": int(near(said.first_error, first_error, 1)),
    }


def balanced_accuracy(right_right: Any, right: Any, wrong_wrong: Any, wrong: Any) -> Any:
    """(TPR + TNR) / 2; nan where either class is missing."""
    return (right_right / right + wrong_wrong / wrong) / 2

"""TRL's preference rows (DPO and kin), conversational: ``{"prompt", "chosen", "rejected"}`` as messages."""

from __future__ import annotations

from typing import Any

from loop.annotate.formats import _training
from loop.annotate.formats._item import Answer, TaskItem


def rows(item: TaskItem, answer: Answer, *, neutral: str = "") -> list[dict[str, Any]]:
    """One row per ordered pair of responses; none from a tie, all bad or an answer set aside."""
    return [
        {
            "prompt": _training.messages(item),
            "chosen": _training.assistant(better),
            "rejected": _training.assistant(worse),
        }
        for better, worse in _training.pairs(item, answer)
    ]


def manifest(*, neutral: str = "") -> dict[str, Any]:
    return _training.decision("trl_preference", ties="left out")

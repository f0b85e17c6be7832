"""OpenAI's preference rows: ``{"input": {"messages", "tools", "parallel_tool_calls"}, "preferred_output",
"non_preferred_output"}``; Together and Fireworks read the same names."""

from __future__ import annotations

from typing import Any

from loop.annotate.formats import _training
from loop.annotate.formats._item import Answer, TaskItem


def rows(item: TaskItem, answer: Answer, *, neutral: str = "") -> list[dict[str, Any]]:
    """One row per ordered pair of responses; none from a tie, all bad or an answer set aside."""
    return [
        {
            "input": {"messages": _training.messages(item), "tools": [], "parallel_tool_calls": True},
            "preferred_output": _training.assistant(better),
            "non_preferred_output": _training.assistant(worse),
        }
        for better, worse in _training.pairs(item, answer)
    ]


def manifest(*, neutral: str = "") -> dict[str, Any]:
    return _training.decision("openai_preference", ties="left out")

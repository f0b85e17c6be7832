"""Unpaired preference (KTO, BCO): ``{"prompt", "completion", "label": bool}``, conversational.

From a step critique: right and without a first error is desirable; wrong, or with a first error, is not; a
verdict nobody gave makes no row. From a comparison: the winner is desirable, the others are not; all bad
makes all of them undesirable; a tie makes no row.
"""

from __future__ import annotations

from typing import Any

from loop.annotate.formats import _training
from loop.annotate.formats._item import Answer, Outcome, TaskItem


def rows(item: TaskItem, answer: Answer, *, neutral: str = "") -> list[dict[str, Any]]:
    if answer.outcome != Outcome.ANSWERED:
        return []
    judged = _compared(item, answer) if item.candidates else _judged(item, answer)
    return [
        {"prompt": _training.messages(item), "completion": _training.assistant(text), "label": label}
        for text, label in judged
    ]


def _compared(item: TaskItem, answer: Answer) -> list[tuple[str, bool]]:
    if answer.payload.get("all_bad"):
        return [(text, False) for text in item.candidates]
    winner = answer.payload.get("winner")
    return [] if winner is None else [(text, i == winner) for i, text in enumerate(item.candidates)]


def _judged(item: TaskItem, answer: Answer) -> list[tuple[str, bool]]:
    said = answer.payload
    if said.get("first_error") is not None or said.get("verdict") == "wrong":
        return [(item.text, False)]
    return [(item.text, True)] if said.get("verdict") == "right" else []


def manifest(*, neutral: str = "") -> dict[str, Any]:
    return _training.decision("kto", ties="left out", unknown_verdict="left out")

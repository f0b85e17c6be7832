"""BIG-Bench Mistake (Tyen et al., 2023, arXiv:2311.08516): reasoning with the first mistake.

``mistake_index`` counts from 0; null says that there is none, and a row without it was not judged.
``target`` is the reference, ``answer`` what the model concluded; they are compared as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loop.annotate.formats import _item
from loop.annotate.formats._item import Answer, TaskItem

_KNOWN = ("input", "steps", "target", "mistake_index")


def read(row: Mapping[str, Any]) -> TaskItem:
    """Raises FormatError, naming the key."""
    steps = _item.texts(row, "steps")
    messages, kept = _item.question(_item.text(row, "input"), "input")
    response, spans = _item.joined(steps)
    target, said = _item.text_or_none(row, "target"), _item.text_or_none(row, "answer")
    answer = None
    if "mistake_index" in row:
        none = row["mistake_index"] is None
        first = None if none else _item.position(row, "mistake_index", len(steps))
        verdict = "unknown"
        if target is not None and said is not None:
            verdict = "right" if target.strip() == said.strip() else "wrong"
        answer = Answer(_item.first_error_payload(len(steps), first, verdict))
    meta = {**_item.rest(row, _KNOWN), **kept}
    if target is None:
        meta["target"] = None if "target" in row else False
    return TaskItem(messages, response, spans, reference=target, answer=answer, meta=meta)


def write(item: TaskItem, answer: Answer | None) -> dict[str, Any]:
    """Raises FormatError for an answer that was set aside."""
    meta = dict(item.meta)
    row: dict[str, Any] = {"input": meta.pop("input", item.prompt), "steps": list(item.steps)}
    if meta.pop("target", item.reference) is not False:
        row["target"] = item.reference
    row |= meta
    if answer is not None:
        row["mistake_index"] = _item.answered(answer, "BIG-Bench Mistake", "mistake_index")["first_error"]
    return row

"""ProcessBench (Zheng et al., 2024, arXiv:2412.06559): solutions with the earliest wrong step.

``label`` counts from 0; -1 says that every step is right, and a row without ``label`` was not judged.
``final_answer_correct`` is about the answer alone: a right answer may rest on a wrong step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loop.annotate.formats import _item
from loop.annotate.formats._item import Answer, FormatError, TaskItem

NO_ERROR = -1
_KNOWN = ("problem", "steps", "label", "id")
_VERDICTS = {True: "right", False: "wrong", None: "unknown"}
_FINAL = {"right": True, "wrong": False}


def read(row: Mapping[str, Any]) -> TaskItem:
    """Raises FormatError, naming the key."""
    steps = _item.texts(row, "steps")
    messages, kept = _item.question(_item.text(row, "problem"), "problem")
    response, spans = _item.joined(steps)
    final = row.get("final_answer_correct")
    if type(final) not in (bool, type(None)):
        raise FormatError("final_answer_correct", f"expected true or false, found {_item.kind_of(final)}")
    answer = None
    if "label" in row:
        label = row["label"]
        none = type(label) is int and label == NO_ERROR
        first = None if none else _item.position(row, "label", len(steps))
        answer = Answer(_item.first_error_payload(len(steps), first, _VERDICTS[final]))
    external = _item.text(row, "id", blank=True) if "id" in row else ""
    meta = {**_item.rest(row, _KNOWN), **kept}
    if "id" not in row:
        meta["no_id"] = True
    return TaskItem(messages, response, spans, answer=answer, external_id=external, meta=meta)


def write(item: TaskItem, answer: Answer | None) -> dict[str, Any]:
    """Raises FormatError for an answer that was set aside."""
    meta = dict(item.meta)
    problem = meta.pop("problem", item.prompt)
    row: dict[str, Any] = {} if meta.pop("no_id", False) else {"id": item.external_id}
    row |= {"problem": problem, "steps": list(item.steps), **meta}
    if answer is None:
        return row
    said = _item.answered(answer, "ProcessBench", "label")
    if said.get("verdict") in _FINAL:
        row["final_answer_correct"] = _FINAL[said["verdict"]]
    row["label"] = NO_ERROR if said["first_error"] is None else said["first_error"]
    return row

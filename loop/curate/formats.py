"""Rows of a dataset version in the formats that trainers outside read.

``rows`` is lossless: our own rows as they are trained. The others follow TRL's dataset formats
(conversational where there is a prompt to word) and leave out the kinds they have no place for, which is
counted. What they cannot say exactly is said in `NOTES`, and goes into the manifest beside an export.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from loop.finetune.objectives import TEXTS
from loop.records import PAIR_KINDS, RowKind

Stored = Mapping[str, Any]
Made = list[dict[str, Any]]

_PAIRS = {kind.value for kind in PAIR_KINDS}
_TEXTS = {kind.value for kind in TEXTS}
_ONE = "A row that goes on from a prefix has it in the completion: its tokens are then trained, too."
_TWO = "A shared prefix stands on both sides: it cancels in a pairwise loss."
_ENDS = "Rows with ends false stop mid-answer; a trainer that appends an end token teaches to stop there."
_WEIGHT = "weight is ours; TRL ignores it."


def _prompt(row: Stored) -> list[dict[str, str]]:
    return [{"role": m["role"], "content": m["content"]} for m in row["messages"]]


def _said(row: Stored, side: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": (row.get("prefix") or "") + row[side]}]


def _beside(row: Stored) -> dict[str, Any]:
    return {"weight": row.get("weight", 1.0), "ends": row.get("ends", True), "kind": row["kind"]}


def _rows(row: Stored) -> Made:
    return [dict(row)]


def _prompt_completion(row: Stored) -> Made:
    if row["kind"] not in _TEXTS or row.get("masked"):
        return []
    return [{"prompt": _prompt(row), "completion": _said(row, "chosen"), **_beside(row)}]


def _preference(row: Stored) -> Made:
    if row["kind"] not in _PAIRS:
        return []
    sides = {side: _said(row, side) for side in ("chosen", "rejected")}
    return [{"prompt": _prompt(row), **sides, **_beside(row)}]


def _kto(row: Stored) -> Made:
    if row["kind"] in _PAIRS:
        judged = [("chosen", True), ("rejected", False)]
    elif row["kind"] == RowKind.OUTCOME and row.get("label") is not None:
        judged = [("chosen", bool(row["label"]))]
    elif row["kind"] in (RowKind.SAMPLE, RowKind.TRAJECTORY):
        judged = [("chosen", True)]
    else:
        return []
    return [
        {"prompt": _prompt(row), "completion": _said(row, side), "label": label, **_beside(row)}
        for side, label in judged
    ]


def _stepwise(row: Stored) -> Made:
    if row["kind"] != RowKind.STEP_LABELS:
        return []
    text, at = row["chosen"], 0
    completions, labels = [], []
    for end, chance in row["steps"]:
        completions.append(text[at:end].strip())
        labels.append(chance >= 0.5)
        at = end
    messages = _prompt(row)
    prompt = (
        messages[0]["content"]
        if len(messages) == 1
        else "\n\n".join(f"{m['role']}: {m['content']}" for m in messages)
    )
    return [
        {"prompt": prompt, "completions": completions, "labels": labels, "weight": row.get("weight", 1.0)}
    ]


_WRITERS: dict[str, Callable[[Stored], Made]] = {
    "rows": _rows,
    "trl_prompt_completion": _prompt_completion,
    "trl_preference": _preference,
    "trl_kto": _kto,
    "trl_stepwise": _stepwise,
}
NOTES: dict[str, tuple[str, ...]] = {
    "rows": (),
    "trl_prompt_completion": (
        _ONE,
        _ENDS,
        _WEIGHT,
        "Rows with masked passages are left out: here they would be learned.",
    ),
    "trl_preference": (_TWO, _ENDS, _WEIGHT, "Soft targets are taken for certain."),
    "trl_kto": (_ONE, _ENDS, _WEIGHT, "Of a pair the better side is desirable, the worse one is not."),
    "trl_stepwise": (
        _WEIGHT,
        "A step counts as good where its chance is a half or more.",
        "A step that nobody judged stands with the next one that somebody did.",
    ),
}


def format_names() -> tuple[str, ...]:
    return tuple(_WRITERS)


def written(name: str, row: Stored) -> Made:
    """The row in the format called ``name``: none where the format has no place for its kind.

    Raises:
        LookupError: no such format.
    """
    if name not in _WRITERS:
        raise LookupError(f"There is no format {name!r}; there are: {', '.join(_WRITERS)}.")
    return _WRITERS[name](row)

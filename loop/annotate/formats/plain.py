"""Our own lines: ``{"prompt", "response" or "steps" or "candidates", …}``.

``prompt`` is text or a list of chat messages that ends with the user's; ``response`` one text, split into
steps as the model's own answers are; ``steps`` a list of texts; ``candidates`` two or more responses to
compare. Optional: ``reference``, ``external_id``, ``labels`` (the answer as the annotation workspace keeps
it), ``outcome`` (answered unless told otherwise), ``seconds``. Whatever else a line holds is kept and comes
out again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loop.annotate.formats import _item
from loop.annotate.formats._item import Answer, FormatError, Outcome, TaskItem
from loop.dialects.chat.steps import split

_SUBJECTS = ("response", "steps", "candidates")
_KNOWN = ("prompt", *_SUBJECTS, "reference", "external_id", "labels", "outcome", "seconds")
_FEWEST, _MOST = 2, 4  # responses side by side
_NO_SPANS: tuple[tuple[int, int], ...] = ()
_NO_CANDIDATES: tuple[str, ...] = ()
_OUTCOMES = tuple(str(o) for o in Outcome)


def read(row: Mapping[str, Any]) -> TaskItem:
    """Raises FormatError, naming the key."""
    messages, meta = _item.question(row.get("prompt"), "prompt")
    if messages[-1].role != "user":
        raise FormatError("prompt", "the last message must be the user's")
    given = [key for key in _SUBJECTS if key in row]
    if len(given) != 1:
        raise FormatError(given[-1] if given else "response", f"give one of {', '.join(_SUBJECTS)}")
    text, spans, candidates = "", _NO_SPANS, _NO_CANDIDATES
    if given == ["steps"]:
        text, spans = _item.joined(_item.texts(row, "steps"))
        meta["subject"] = "steps"
    elif given == ["response"]:
        text = _item.text(row, "response")
        spans = tuple((step.start, step.end) for step in split(text))
    else:
        candidates = tuple(_item.texts(row, "candidates"))
        if not _FEWEST <= len(set(candidates)) == len(candidates) <= _MOST:
            why = f"expected {_FEWEST} to {_MOST} different responses, found {len(set(candidates))}"
            raise FormatError("candidates", why)
    return TaskItem(
        messages,
        text,
        spans,
        candidates,
        reference=_reference(row, meta),
        answer=_answer(row),
        external_id=_item.text(row, "external_id", blank=True) if "external_id" in row else "",
        meta=meta | _extra(row),
    )


def _reference(row: Mapping[str, Any], meta: dict[str, Any]) -> str | None:
    value = row.get("reference")
    if "reference" in row and not isinstance(value, str):  # a number: written as it came
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise FormatError("reference", f"expected text or a number, found {_item.kind_of(value)}")
        meta["reference"] = value
        return None if value is None else str(value)
    return _item.text_or_none(row, "reference")


def _extra(row: Mapping[str, Any]) -> dict[str, Any]:
    extra = _item.rest(row, _KNOWN)
    return {"extra": extra} if extra else {}


def _answer(row: Mapping[str, Any]) -> Answer | None:
    labels, outcome, seconds = row.get("labels"), row.get("outcome", "answered"), row.get("seconds")
    if labels is None:
        return None
    if not isinstance(labels, dict):
        raise FormatError("labels", f"expected an object, found {_item.kind_of(labels)}")
    if outcome not in _OUTCOMES:
        raise FormatError("outcome", f"expected one of {', '.join(_OUTCOMES)}, found {outcome!r}")
    if type(seconds) not in (int, float, type(None)) or (seconds or 0) < 0:
        raise FormatError("seconds", f"expected a number from 0, found {seconds!r}")
    return Answer(labels, outcome, seconds)


def write(item: TaskItem, answer: Answer | None) -> dict[str, Any]:
    meta = dict(item.meta)
    row: dict[str, Any] = {"prompt": meta.get("prompt", _prompt(item))}
    if item.candidates:
        row["candidates"] = list(item.candidates)
    elif meta.get("subject") == "steps":
        row["steps"] = list(item.steps)
    else:
        row["response"] = item.text
    if item.reference is not None or "reference" in meta:
        row["reference"] = meta.get("reference", item.reference)
    if item.external_id:
        row["external_id"] = item.external_id
    if answer is not None:
        row["labels"] = dict(answer.payload)
        if answer.outcome != Outcome.ANSWERED:
            row["outcome"] = str(answer.outcome)
        if answer.seconds is not None:
            row["seconds"] = answer.seconds
    row.update(meta.get("extra", {}))
    return row


def _prompt(item: TaskItem) -> Any:
    if [m.role for m in item.messages] == ["user"]:
        return item.prompt
    return [{"role": m.role, "content": m.content} for m in item.messages]

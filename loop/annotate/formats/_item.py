"""One row of any format, as our own: what is asked, what was answered, and the rest of the row.

Positions are 0-based and ``None`` is "no error", whatever the format says. What follows the first error is
unjudged. ``TaskItem.meta`` holds what the row says besides, so that ``write`` can say it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from loop.records import Message

ROLES = ("system", "user", "assistant")
SEPARATOR = "\n"  # between the steps of a response that came as a list
_KINDS = {
    type(None): "nothing",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


class FormatError(ValueError):
    """A row that does not fit its format: one sentence that begins with the key at fault."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key}: {why}")
        self.key = key


class Outcome(StrEnum):
    ANSWERED = "answered"
    BAD_PROBLEM = "bad_problem"
    GIVE_UP = "give_up"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answered. ``payload`` is the annotation workspace's: for a step critique ``marks``,
    ``first_error``, ``verdict`` …, for a preference ``winner`` …; set aside, ``reason`` and ``partial``.

    Mappings by step have the step's number as text for a key, as JSON would. A branch may carry its
    ``text`` beside (or instead of) the id of its response. ``seconds`` is None where nobody measured.
    """

    payload: Mapping[str, Any]
    outcome: str = Outcome.ANSWERED
    seconds: float | None = None

    @property
    def critique(self) -> Mapping[str, Any]:
        """The step critique, also of an answer that was set aside with part of the work done."""
        if self.outcome == Outcome.ANSWERED:
            return self.payload
        return self.payload.get("partial") or {}


@dataclass(frozen=True, slots=True)
class TaskItem:
    """``text`` is the response in one piece and ``spans`` where its steps lie in it ``(start, end)``;
    a comparison has ``candidates`` instead."""

    messages: tuple[Message, ...]
    text: str = ""
    spans: tuple[tuple[int, int], ...] = ()
    candidates: tuple[str, ...] = ()
    reference: str | None = None
    answer: Answer | None = None
    external_id: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple([self.text[start:end] for start, end in self.spans])

    @property
    def prompt(self) -> str:
        """The last message: the question, as it came."""
        return self.messages[-1].content


def joined(steps: Sequence[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The steps as one text, and where each lies in it."""
    spans, at = [], 0
    for step in steps:
        end = at + len(step)
        spans.append((at, end))
        at = end + 1
    return SEPARATOR.join(steps), tuple(spans)


def first_error_payload(count: int, first_error: int | None, verdict: str) -> dict[str, Any]:
    """The answer of a source that names the first wrong step only: right before it, unjudged after it."""
    if first_error is None:
        marks: list[int | None] = [1] * count
    else:
        marks = [1] * first_error + [-1] + [None] * (count - first_error - 1)
    return {"marks": marks, "first_error": first_error, "verdict": verdict}


def answered(answer: Answer, format_name: str, key: str) -> Mapping[str, Any]:
    """The payload of an answer, for formats that have no word for one that was set aside.

    Raises:
        FormatError: it was set aside.
    """
    if answer.outcome != Outcome.ANSWERED:
        raise FormatError(key, f"{format_name} has no word for an answer set aside as {answer.outcome!r}")
    return answer.payload


# --------------------------------------------------------------------------------------- reading a row
def kind_of(value: Any) -> str:
    return _KINDS.get(type(value), type(value).__name__)


def clean(value: str, key: str) -> str:
    """The text as it is.

    Raises:
        FormatError: it holds what no database stores (NUL, half of a surrogate pair).
    """
    if "\0" in value:
        raise FormatError(key, "holds a NUL character")
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        raise FormatError(key, "holds half a character (a lone surrogate)")
    return value


def text(row: Mapping[str, Any], key: str, *, where: str = "", blank: bool = False) -> str:
    """A text field that must be there; ``where`` is the path of ``row``, for the message."""
    value = row.get(key)
    if not isinstance(value, str):
        raise FormatError(where + key, f"expected text, found {kind_of(value)}")
    if not blank and not value.strip():
        raise FormatError(where + key, "is empty")
    return clean(value, where + key)


def text_or_none(row: Mapping[str, Any], key: str, *, where: str = "") -> str | None:
    value = row.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise FormatError(where + key, f"expected text or null, found {kind_of(value)}")
    return clean(value, where + key)


def texts(row: Mapping[str, Any], key: str, *, where: str = "") -> list[str]:
    """A list of texts, none of them blank, at least one."""
    value = row.get(key)
    if not isinstance(value, list):
        raise FormatError(where + key, f"expected a list of texts, found {kind_of(value)}")
    if not value:
        raise FormatError(where + key, "is empty")
    for i, part in enumerate(value):
        if not isinstance(part, str):
            raise FormatError(f"{where}{key}[{i}]", f"expected text, found {kind_of(part)}")
        if not part or part.isspace():
            raise FormatError(f"{where}{key}[{i}]", "is empty")
        clean(part, f"{where}{key}[{i}]")
    return value


def position(row: Mapping[str, Any], key: str, count: int) -> int:
    """A 0-based step number below ``count``."""
    value = row[key]
    if type(value) is not int:
        raise FormatError(key, f"expected a step's number, found {kind_of(value)}")
    if not 0 <= value < count:
        raise FormatError(key, f"names step {value} (from 0), but there are {count} steps")
    return value


def question(value: Any, key: str) -> tuple[tuple[Message, ...], dict[str, Any]]:
    """The messages of a prompt given as text or as messages, and what ``meta`` needs to write it again.

    The prompt loses white space around it, as everywhere prompts are imported.
    """
    if isinstance(value, str):
        stripped = value.strip()
        if not stripped:
            raise FormatError(key, "is empty")
        messages = (Message("user", clean(stripped, key)),)
        return messages, {} if len(stripped) == len(value) else {key: value}
    if not isinstance(value, list) or not value:
        raise FormatError(key, f"expected text or a list of messages, found {kind_of(value)}")
    return tuple(_message(part, f"{key}[{i}]") for i, part in enumerate(value)), {key: value}


def _message(part: Any, key: str) -> Message:
    role, content = (part.get("role"), part.get("content")) if isinstance(part, dict) else (None, None)
    if role not in ROLES or not isinstance(content, str) or not content.strip():
        raise FormatError(key, f"a message needs a role ({', '.join(ROLES)}) and content that is text")
    return Message(role, clean(content, key))


def rest(row: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """What the row says beside the known keys."""
    return {key: row[key] for key in row if key not in known}

"""Reading prompts from JSONL and CSV files as a stream: constant memory, errors that name the line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from loop.prompts.families import family_of
from loop.records import Message

_ROLES = ("system", "user", "assistant")
_BOM = b"\xef\xbb\xbf"


class PromptFileError(ValueError):
    """A prompt file that cannot be used; ``line`` is 1-based, 0 for the file as a whole."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}" if line else why)
        self.line = line
        self.why = why


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Which fields hold what. The prompt field holds the question's text or a list of chat messages.

    With ``reference_pattern`` the reference is the pattern's first group (or whole match) found in the
    reference field, e.g. ``#### (.+)$``; the last match counts, and a field without one is an error.
    """

    prompt: str = "prompt"
    reference: str | None = None
    reference_pattern: str | None = None
    system: str | None = None
    meta: tuple[str, ...] = ()

    def pattern(self) -> re.Pattern[str] | None:
        """Raises PromptFileError when the pattern is not a regular expression."""
        if self.reference_pattern is None:
            return None
        try:
            return re.compile(self.reference_pattern, re.MULTILINE)
        except re.error as error:
            raise PromptFileError(0, f"the reference pattern is not a regular expression: {error}") from error


@dataclass(frozen=True, slots=True)
class PromptRow:
    """One prompt as read: ready to store, not yet given a split."""

    line: int
    messages: tuple[Message, ...]
    family: str
    reference: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return next((m.content for m in reversed(self.messages) if m.role == "user"), "")


def read_prompts(path: Path, fields: FieldMap, *, format: str = "") -> Iterator[PromptRow]:  # noqa: A002
    """Rows of a ``.jsonl`` or ``.csv`` file; ``format`` ("jsonl", "csv") overrules the file name.

    Raises:
        PromptFileError: while iterating, at the first line that cannot be used.
    """
    kind = format or path.suffix.lower().lstrip(".")
    try:
        with path.open("rb") as stream:
            yield from read_stream(stream, fields, format=kind)
    except OSError as error:
        raise PromptFileError(0, f"{path.name} cannot be read: {error.strerror or error}") from error


def read_stream(stream: BinaryIO, fields: FieldMap, *, format: str) -> Iterator[PromptRow]:  # noqa: A002
    """The same from an open binary stream, e.g. an upload."""
    if format not in ("jsonl", "csv"):
        raise PromptFileError(
            0, f"expected a .jsonl or .csv file, got {format or 'a file without an ending'!r}"
        )
    pattern = fields.pattern()
    for line, record in _jsonl(stream) if format == "jsonl" else _csv(stream):
        yield _row(line, record, fields, pattern)


def with_duplicates(rows: Iterable[PromptRow]) -> Iterator[tuple[PromptRow, int | None]]:
    """Each row with the line of the first row of its family, or None when it is the first."""
    first: dict[str, int] = {}
    for row in rows:
        earlier = first.setdefault(row.family, row.line)
        yield row, None if earlier == row.line else earlier


def _jsonl(stream: BinaryIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    # Bytes are split at \n alone: a U+2028 inside a string is text, not the end of a line.
    for number, raw in enumerate(stream, 1):
        line = raw.removeprefix(_BOM) if number == 1 else raw
        if not line.strip():
            continue
        try:
            record = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise PromptFileError(number, f"not UTF-8 text (byte {error.start + 1})") from error
        except json.JSONDecodeError as error:
            raise PromptFileError(number, f"not JSON: {error.msg} at column {error.colno}") from error
        except RecursionError as error:
            raise PromptFileError(number, "not JSON that can be read: nested too deeply") from error
        if not isinstance(record, dict):
            raise PromptFileError(number, f"expected an object with fields, found {_kind(record)}")
        yield number, record


def _csv(stream: BinaryIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
    header: list[str] | None = None
    end = 0
    try:
        for cells in reader:
            start, end = end + 1, reader.line_num  # a quoted cell may span lines
            if not any(cells):
                continue
            if header is None:
                header = _header(cells, start)
            elif len(cells) != len(header):
                raise PromptFileError(start, f"{len(cells)} cells, but the header names {len(header)} fields")
            else:
                yield start, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise PromptFileError(end + 1, f"not CSV: {error}") from error
    except UnicodeDecodeError as error:
        # The text layer reads ahead in blocks, so the bad byte may lie some lines further on.
        raise PromptFileError(end + 1, "not UTF-8 text, here or shortly after") from error
    finally:
        text.detach()  # the stream belongs to the caller
    if header is None:
        raise PromptFileError(0, "the file is empty: the first line must name the fields")


def _header(cells: list[str], line: int) -> list[str]:
    names = [c.strip() for c in cells]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise PromptFileError(line, f"the header names {', '.join(map(repr, twice))} more than once")
    return names


def _row(
    line: int, record: Mapping[str, Any], fields: FieldMap, pattern: re.Pattern[str] | None
) -> PromptRow:
    messages = _messages(line, _field(line, record, fields.prompt), fields.prompt)
    if fields.system is not None and messages[0].role != "system":
        messages = (Message("system", _text(line, record, fields.system)), *messages)
    return PromptRow(
        line=line,
        messages=messages,
        family=family_of(messages),
        reference=None if fields.reference is None else _reference(line, record, fields.reference, pattern),
        meta={name: _field(line, record, name) for name in fields.meta},
    )


def _messages(line: int, value: Any, name: str) -> tuple[Message, ...]:
    if isinstance(value, str):
        if not value.strip():
            raise PromptFileError(line, f"field {name!r} is empty")
        return (Message("user", _clean(line, value.strip(), name)),)
    if not isinstance(value, list) or not value:
        raise PromptFileError(
            line, f"field {name!r} must be text or a list of messages, found {_kind(value)}"
        )
    messages = []
    for item in value:
        role, content = (item.get("role"), item.get("content")) if isinstance(item, dict) else (None, None)
        if role not in _ROLES or not isinstance(content, str) or not content.strip():
            raise PromptFileError(
                line, f"field {name!r}: a message needs a role ({', '.join(_ROLES)}) and content that is text"
            )
        messages.append(Message(role, _clean(line, content, name)))
    if messages[-1].role != "user":
        raise PromptFileError(line, f"field {name!r}: the last message must be the user's")
    return tuple(messages)


def _reference(
    line: int, record: Mapping[str, Any], name: str, pattern: re.Pattern[str] | None
) -> str | None:
    value = _field(line, record, name)
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise PromptFileError(line, f"field {name!r} must be text or a number, found {_kind(value)}")
    text = "" if value is None else _clean(line, str(value), name).strip()
    if pattern is None or not text:
        return text or None
    found = list(pattern.finditer(text))
    if not found:
        raise PromptFileError(
            line, f"field {name!r} does not contain the reference pattern {pattern.pattern!r}"
        )
    matched: str = found[-1].group(1 if pattern.groups else 0) or ""
    return matched.strip() or None


def _text(line: int, record: Mapping[str, Any], name: str) -> str:
    value = _field(line, record, name)
    if not isinstance(value, str) or not value.strip():
        raise PromptFileError(line, f"field {name!r} must be text, found {_kind(value)}")
    return _clean(line, value, name)


def _field(line: int, record: Mapping[str, Any], name: str) -> Any:
    if name not in record:
        raise PromptFileError(line, f"no field {name!r}; there are: {', '.join(map(repr, record)) or 'none'}")
    return record[name]


def _clean(line: int, text: str, name: str) -> str:
    """Refuse what a database cannot store."""
    if "\x00" in text:
        raise PromptFileError(line, f"field {name!r} contains a NUL character")
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise PromptFileError(line, f"field {name!r} contains half a character (a lone surrogate)")
    return text


def _kind(value: Any) -> str:
    names = {
        type(None): "nothing",
        bool: "true or false",
        dict: "an object",
        list: "a list",
        str: "empty text",
    }
    return names.get(type(value), "a number")

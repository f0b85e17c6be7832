"""Lines of a file, read by a format and made ready to be stored: the half of an import without a database.

It runs in a process of its own beside the database's work, so nothing here knows Django: what comes out are
plain lists of bytes. Everything is derived from the line itself; a response's id is too, so that the same
line twice is the same response.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from loop.annotate.formats import Answer, FormatError, TaskItem, exchange
from loop.dialects.chat.steps import split
from loop.prompts.families import content_sha, family_of
from webapp import copying

RESPONSES = UUID("5c0b7e0e-8f3a-5d0e-9d61-6f4f4c9b8a11")  # name space of imported responses' ids
STEP_CRITIQUE, PREFERENCE = "step_critique", "preference"
# What the packed parts hold, in order.
PROMPT_COLUMNS = ("family", "messages", "text", "reference", "content_sha")
RESPONSE_COLUMNS = ("text", "step_spans")
TASK_COLUMNS = ("meta",)
LONGEST_REASON = 300
_BOM = b"\xef\xbb\xbf"


class Order(NamedTuple):
    """What is asked of every chunk of one import. ``labels``: whether answers are stored as such; else they
    stay beside the task, in its ``meta``."""

    project: int
    format: str
    kind: str
    labels: bool = False


@dataclass(slots=True)
class Intake:
    """A chunk of lines, read. The lists run in parallel, one entry per usable line; lines count from 1."""

    bad: list[tuple[int, str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    shas: list[str] = field(default_factory=list)
    families: list[str] = field(default_factory=list)
    prompts: list[bytes] = field(default_factory=list)
    responses: list[tuple[tuple[bytes, bytes], ...]] = field(default_factory=list)  # (id, the rest)
    tasks: list[bytes] = field(default_factory=list)
    answers: list[tuple[Answer | None, tuple[str, ...]]] = field(
        default_factory=list
    )  # with the steps' texts


def take_in(data: bytes, first_line: int, order: Order) -> Intake:
    """Read whole lines; what cannot be used is in ``bad`` with its line and reason."""
    done = Intake()
    read = exchange(order.format).read
    for number, line in enumerate(data.split(b"\n"), first_line):
        raw = line.removeprefix(_BOM) if number == 1 else line
        if not raw or raw.isspace():
            continue
        try:
            row = orjson.loads(raw)
            if type(row) is not dict:
                raise FormatError("line", "expected an object with fields")
            _take(number, read(row), order, done)
        except orjson.JSONDecodeError as error:
            done.bad.append((number, f"not JSON: {error.msg}"))
        except FormatError as error:
            done.bad.append((number, str(error)[:LONGEST_REASON]))
        except (RecursionError, orjson.JSONEncodeError):
            done.bad.append((number, "nested too deeply"))
    return done


def _take(number: int, item: TaskItem, order: Order, done: Intake) -> None:
    messages = [{"role": m.role, "content": m.content} for m in item.messages]
    sha, family = content_sha(messages), family_of(item.messages)
    if item.candidates:
        if order.kind != PREFERENCE:
            raise FormatError("candidates", "responses to compare: import them as preference tasks")
        texts = item.candidates
        responses = tuple(
            _response(order.project, sha, text, [(s.start, s.end) for s in split(text)]) for text in texts
        )
    else:
        if order.kind != STEP_CRITIQUE:
            raise FormatError("candidates", "is missing: a preference task needs responses to compare")
        texts = item.steps if order.labels else ()
        responses = (_response(order.project, sha, item.text, item.spans),)
    meta = orjson.dumps(_meta(item, order))
    if b"\\u0000" in meta and _holds_nul(orjson.loads(meta)):
        raise FormatError("line", "holds a NUL character")
    done.lines.append(number)
    done.shas.append(sha)
    done.families.append(family)
    done.prompts.append(
        copying.text(family)
        + copying.jsonb(orjson.dumps(messages))
        + copying.text(item.prompt)
        + copying.nullable(item.reference)
        + copying.text(sha)
    )
    done.responses.append(responses)
    done.tasks.append(copying.jsonb(meta))
    if order.labels:
        done.answers.append((item.answer, texts))


def _response(project: int, sha: str, text: str, spans: Sequence[tuple[int, int]]) -> tuple[bytes, bytes]:
    cut = orjson.dumps([(start, end, None, None) for start, end in spans])
    body = text.encode()
    return response_id(project, sha, body, cut), copying.raw(body) + copying.jsonb(cut)


def response_id(project: int, sha: str, text: bytes, spans: bytes) -> bytes:
    """The 16 bytes of uuid5(RESPONSES, "project/sha/spans/text"), without going through text."""
    digest = hashlib.sha1(
        RESPONSES.bytes + b"%d/%s/%s/" % (project, sha.encode(), spans) + text, usedforsecurity=False
    ).digest()
    return (
        b"%s%c%c%c%s"
        % (
            digest[:6],
            digest[6] & 0x0F | 0x50,  # version 5
            digest[7],
            digest[8] & 0x3F | 0x80,  # of the usual kind
            digest[9:16],
        )
    )


def _meta(item: TaskItem, order: Order) -> dict[str, Any]:
    """What the task keeps so that its line can be written again."""
    meta: dict[str, Any] = {"format": order.format}
    if item.meta:
        meta["row"] = item.meta
    if item.external_id:
        meta["external_id"] = item.external_id
    if item.answer is not None and not order.labels:
        meta["labels"] = {
            "payload": item.answer.payload,
            "outcome": str(item.answer.outcome),
            "seconds": item.answer.seconds,
        }
    return meta


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any("\0" in key or _holds_nul(part) for key, part in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))

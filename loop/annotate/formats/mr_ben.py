"""Mr-Ben (Zeng et al., 2024, arXiv:2406.13975): the first error of a solution, its reason and its repair.

``Model_Solution_First_Error_Step`` is text; "N/A" says that there is none. Its number is the one *written* in
front of a step ("Step 3: …"), not the place in the list: a list holds empty entries and steps cut in
pieces. Entries are therefore joined to steps at these headings; without any, each entry is a step, from 1.

In the coding part the solution is one text and the error a *line* of it: its lines are the steps, and a line
that is empty or stands there twice names no step, so that such a row comes without an answer and its words
are kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from loop.annotate.formats import _item
from loop.annotate.formats._item import Answer, FormatError, TaskItem

STEPS = "Model_Solution_Steps"
CORRECT = "Model_Solution_Correctness"
FIRST = "Model_Solution_First_Error_Step"
REASON = "Model_Solution_Error_Reason"
REPAIR = "Model_Solution_Rectified_First_Error_Step"
QUESTION, OPTIONS, REFERENCE, UUID = "Question", "Options", "Ground_Truth_Answer_Modified", "Question_UUID"
NONE = "N/A"
_LONGEST = 4000  # characters of a comment or correction; the row's own words are kept whole
_LABELS = (CORRECT, FIRST, REASON, REPAIR)
_HEADING = re.compile(r"\s*(?:step\s*(\d{1,4})\b|solution\s*:)", re.IGNORECASE)
_KNOWN = (STEPS, QUESTION, UUID, *_LABELS)


def read(row: Mapping[str, Any]) -> TaskItem:
    """Raises FormatError, naming the key."""
    asked = _item.text(row, QUESTION)
    options = _item.text_or_none(row, OPTIONS)
    messages, _ = _item.question(f"{asked}\n\n{options}" if options and options.strip() else asked, QUESTION)
    meta = {**_item.rest(row, _KNOWN), QUESTION: asked}
    if isinstance(row.get(STEPS), str):
        response, spans = _item.text(row, STEPS), _lines(row[STEPS])
    else:
        entries = _entries(row)
        response, spans = _item.SEPARATOR.join(entries), _headed(entries)
        meta["lengths"] = [len(entry) for entry in entries]
    steps = [response[start:end] for start, end in spans]
    answer = None
    if FIRST in row:
        answer = _answer(row, steps)
        # Kept word for word: people may have written several texts where an answer has room for one, and a
        # line may be named without the white space around it.
        meta |= {key: row[key] for key in _LABELS if key in row}
    external = _item.text(row, UUID, blank=True) if UUID in row else ""
    reference = row.get(REFERENCE) or row.get("Ground_Truth_Answer") or None
    if reference is not None and not isinstance(reference, str):
        raise FormatError(REFERENCE, f"expected text, found {_item.kind_of(reference)}")
    return TaskItem(
        messages, response, spans, reference=reference, answer=answer, external_id=external, meta=meta
    )


def _answer(row: Mapping[str, Any], steps: Sequence[str]) -> Answer | None:
    correct, named = row.get(CORRECT), _item.text(row, FIRST, blank=True)
    if correct not in ("correct", "incorrect"):
        raise FormatError(CORRECT, f"expected 'correct' or 'incorrect', found {correct!r}")
    if (named == NONE) != (correct == "correct"):
        raise FormatError(FIRST, f"says {named!r} of a solution that is {correct}")
    if named == NONE:
        return Answer(_item.first_error_payload(len(steps), None, "right"))
    first = _first_named(named, steps, whole=isinstance(row[STEPS], str))
    if first is None:
        return None
    payload = _item.first_error_payload(len(steps), first, "wrong")
    if comment := _prose(row, REASON):
        payload["comments"] = {str(first): comment}
    if (repair := _prose(row, REPAIR)) and repair != steps[first].strip():
        payload["corrections"] = {str(first): repair}
    return Answer(payload)


def _first_named(named: str, steps: Sequence[str], *, whole: bool) -> int | None:
    """The step (from 0) that is named, None where none can be told."""
    if not named.strip() or named == NONE:
        return None
    if whole:
        found = [i for i, step in enumerate(steps) if step.strip() == named.strip()]
        return found[0] if len(found) == 1 else None
    if not (named.isascii() and named.strip().isdigit()):
        raise FormatError(FIRST, f"expected a step's number from 1 or {NONE!r}, found {named!r}")
    numbers = _numbers(steps)
    if numbers.count(int(named)) != 1:
        written = ", ".join(map(str, numbers))
        raise FormatError(FIRST, f"names step {int(named)}, but the steps are numbered {written}")
    return numbers.index(int(named))


def _entries(row: Mapping[str, Any]) -> list[str]:
    entries = row.get(STEPS)
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise FormatError(STEPS, f"expected text or a list of texts, found {_item.kind_of(entries)}")
    if not any(entry.strip() for entry in entries):
        raise FormatError(STEPS, "is empty")
    return [_item.clean(entry, STEPS) for entry in entries]


def _headed(entries: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Where the steps lie in the joined entries: from heading to heading, less empty entries."""
    headed = any(_HEADING.match(entry) for entry in entries)
    spans: list[tuple[int, int]] = []
    at = 0
    for entry in entries:
        if entry.strip():
            if spans and headed and not _HEADING.match(entry):
                spans[-1] = (spans[-1][0], at + len(entry))
            else:
                spans.append((at, at + len(entry)))
        at += len(entry) + len(_item.SEPARATOR)
    return tuple(spans)


def _numbers(steps: Sequence[str]) -> list[int]:
    """The number each step goes by: the one written, else the next; 0 for what stands before "Step 1"."""
    headings = [_HEADING.match(step) for step in steps]
    before = -1 if any(headings) and not headings[0] else 0
    numbers: list[int] = []
    for heading in headings:
        written = heading.group(1) if heading else None
        numbers.append(int(written) if written else (numbers[-1] if numbers else before) + 1)
    return numbers


def _lines(solution: str) -> tuple[tuple[int, int], ...]:
    spans, at = [], 0
    for line in solution.split("\n"):
        if line.strip():
            spans.append((at, at + len(line)))
        at += len(line) + 1
    return tuple(spans)


def _prose(row: Mapping[str, Any], key: str) -> str:
    """What the row says under ``key``, which several people may have written, as one text."""
    value = row.get(key)
    parts = value if isinstance(value, list) else [value]
    if value is not None and not all(isinstance(part, str) for part in parts):
        raise FormatError(key, "expected text or a list of texts")
    if key == REPAIR:  # two repairs are alternatives, not one text
        parts = parts[:1]
    said = "\n".join(_item.clean(part, key).strip() for part in parts if part)
    return "" if said == NONE else said[:_LONGEST].strip()


def write(item: TaskItem, answer: Answer | None) -> dict[str, Any]:
    """Raises FormatError for an answer that was set aside."""
    meta = dict(item.meta)
    lengths = meta.pop("lengths", None)
    words = {key: meta.pop(key) for key in _LABELS if key in meta}
    row: dict[str, Any] = {UUID: item.external_id, QUESTION: meta.pop(QUESTION, item.prompt), **meta}
    row[STEPS] = item.text if lengths is None else _cut(item.text, lengths)
    if answer is None:
        return row | words  # only of rows that name no step
    said = _item.answered(answer, "Mr-Ben", FIRST)
    first = said["first_error"]
    right = first is None and said.get("verdict") != "wrong"
    whole = lengths is None
    same = words.get(CORRECT) == ("correct" if right else "incorrect") and first == _first_named(
        words[FIRST], item.steps, whole=whole
    )
    row[CORRECT] = "correct" if right else "incorrect"
    if same:
        row[FIRST] = words[FIRST]
    elif first is None:
        row[FIRST] = NONE if right else ""
    else:
        row[FIRST] = item.steps[first] if whole else str(_numbers(item.steps)[first])
    for key, mapping in ((REASON, "comments"), (REPAIR, "corrections")):
        now = "" if first is None else (said.get(mapping) or {}).get(str(first), "")
        then = _prose(words, key)
        if key == REPAIR and first is not None and then == item.steps[first].strip():
            then = ""  # a repair equal to the step is none
        unchanged = same and key in words and (first is None or now == then)
        row[key] = words[key] if unchanged else now or (NONE if first is None else "")
    return row


def _cut(solution: str, lengths: Sequence[int]) -> list[str]:
    entries, at = [], 0
    for length in lengths:
        entries.append(solution[at : at + length])
        at += length + len(_item.SEPARATOR)
    return entries

"""The form of a final word: which answer is taken, or what is said instead."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict

from webapp.annotate.errors import PayloadInvalid
from webapp.annotate.forms import draft_of
from webapp.annotate.models import Annotation, TaskKind
from webapp.annotate.reviewing import Shown, content_of, steps_of

Outcome = Annotation.Outcome
Word = tuple[str, dict[str, Any], int | None]  # outcome, payload, the answer it is based on

_CARRIED = ("kinds", "spans", "unsure", "branches")  # of the answer it started from, where it still fits


def word_of(data: QueryDict, shown: Shown) -> Word:
    """What the form says. ``word``: vote:<pk>, edit, accept, reject, better:<i>, tie, all_bad, bad_problem.

    Raises:
        PayloadInvalid: nothing was chosen, or something this task has no room for.
    """
    choice, _, detail = data.get("word", "").partition(":")
    votes = {str(v.answer.pk): v for v in shown.votes}
    base = votes.get(data.get("based_on", ""))
    based_on = base.answer.pk if base else None
    kind, reason = shown.task.kind, data.get("note", "").strip()[:500]
    if choice == "vote" and detail in votes:
        answer = votes[detail].answer
        return answer.outcome, answer.payload, answer.pk
    if choice == "bad_problem":
        return Outcome.BAD_PROBLEM, {"reason": reason}, based_on
    if choice == "edit" and kind != TaskKind.PREFERENCE:
        edited = _edited(data, len(shown.responses[0].steps))
        if kind == TaskKind.CRITIQUE_REVIEW:
            return Outcome.ANSWERED, {"decision": "edit", "edited": edited, "reason": reason}, based_on
        return Outcome.ANSWERED, edited | _carried(edited, base.steps if base else None), based_on
    if choice in ("accept", "reject") and kind == TaskKind.CRITIQUE_REVIEW:
        return Outcome.ANSWERED, {"decision": choice, "reason": reason}, based_on
    if choice in ("better", "tie", "all_bad") and kind != TaskKind.STEP_CRITIQUE:
        return Outcome.ANSWERED, _compared(data, choice, detail, kind, reason), based_on
    raise PayloadInvalid(["Choose the final word first: take an answer, or give your own."])


def _edited(data: QueryDict, count: int) -> dict[str, Any]:
    """The first step marked wrong is the first error; what follows it is unjudged."""
    draft = draft_of(data)
    marks = [draft["marks"].get(str(i)) for i in range(count)]
    first = marks.index(-1) if -1 in marks else None
    last = count if first is None else first + 1
    marks[last:] = [None] * (count - last)
    return {
        "marks": marks,
        "first_error": first,
        "comments": {k: v for k, v in draft["comments"].items() if int(k) < count},
        "corrections": {
            k: v for k, v in draft["corrections"].items() if int(k) < last and marks[int(k)] != 1
        },
        "verdict": data.get("verdict") or ("wrong" if first is not None else "right"),
    }


def _carried(edited: dict[str, Any], base: dict[str, Any] | None) -> dict[str, Any]:
    """Kinds of error and marked passages belong to a step marked wrong; doubts to one without a mark."""
    marks, first = edited["marks"], edited["first_error"]
    last = len(marks) if first is None else first + 1
    kept: dict[str, Any] = {name: (base or {}).get(name) for name in _CARRIED}
    return {
        "kinds": {k: v for k, v in (kept["kinds"] or {}).items() if marks[int(k)] == -1},
        "spans": {k: v for k, v in (kept["spans"] or {}).items() if marks[int(k)] == -1},
        "unsure": [i for i in kept["unsure"] or [] if i < last and marks[i] is None],
        "branches": kept["branches"] or [],
    }


def _compared(data: QueryDict, choice: str, detail: str, kind: str, reason: str) -> dict[str, Any]:
    strength = data.get("strength", "")
    said = {
        "winner": int(detail) if choice == "better" and detail.isdecimal() else None,
        "all_bad": choice == "all_bad",
        "strength": int(strength) if strength.isdecimal() else 2,
    }
    if kind == TaskKind.CRITIQUE_REVIEW:
        return said | {"decision": "prefer", "reason": reason}
    return said | {"rationale": reason}


# ---- what the form starts with ----------------------------------------------------------------------------


def base_of(shown: Shown) -> int | None:
    """The answer to start from: what the final word was based on, else the only one there is."""
    if shown.adjudication is not None:
        return shown.adjudication.based_on_id
    return shown.votes[0].answer.pk if len(shown.votes) == 1 else None


def chosen_word(shown: Shown) -> str:
    """The choice that the final word there is amounts to; without one, the only answer, else none."""
    made, base = shown.adjudication, base_of(shown)
    start = next((v for v in shown.votes if v.answer.pk == base), None)
    if start is not None and (
        made is None or (made.outcome, made.payload) == (start.answer.outcome, start.answer.payload)
    ):
        return start.value
    if made is None:
        return ""
    if made.outcome != Outcome.ANSWERED:
        return "bad_problem"
    said = made.payload
    if shown.task.kind == TaskKind.STEP_CRITIQUE or said.get("decision") == "edit":
        return "edit"
    if said.get("decision") in ("accept", "reject"):
        return str(said["decision"])
    return "all_bad" if said["all_bad"] else "tie" if said["winner"] is None else f"better:{said['winner']}"


def start_of(shown: Shown) -> dict[str, Any]:
    """The fields of an edit before anybody edits: the final word there is, else the first critique given."""
    voices = [steps_of(shown.task.kind, shown.adjudication)] if shown.adjudication else []
    voices += [v.steps for v in shown.votes] + [content_of(c) for c in shown.critiques]
    found: dict[str, Any] = next((v for v in voices if v), {"marks": [], "verdict": ""})
    follows = "wrong" if -1 in found["marks"] else "right"
    return {
        "marks": {str(i): mark for i, mark in enumerate(found["marks"]) if mark is not None},
        "corrections": found.get("corrections", {}),
        "comments": found.get("comments", {}),
        "verdict": "" if found["verdict"] == follows else found["verdict"],
    }

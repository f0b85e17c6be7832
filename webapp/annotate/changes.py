"""The versions of an answer as people read them: what it says, and what each version changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webapp.accounts.models import User
from webapp.annotate.models import Annotation

_MARKS = {-1: "wrong", 0: "neutral", 1: "good", None: "unjudged"}
_PARTS = {"kinds": "kind of error", "corrections": "corrected to", "comments": "comment"}
_STRENGTH = {1: "slightly", 2: "clearly", 3: "much"}


@dataclass(frozen=True)
class Change:
    """One thing that a version says otherwise. Empty: not said."""

    what: str
    before: str
    after: str


@dataclass(frozen=True)
class Version:
    number: int
    author: User
    at: datetime
    changes: list[Change]  # against the version before; of the first: all it says


def versions_of(annotation: Annotation) -> list[Version]:
    """Every version of an answer, oldest first. One query."""
    rows = annotation.revisions.select_related("author").order_by("number")
    said: dict[str, str] = {}
    found = []
    for row in rows:
        now = statements(row.outcome, row.payload)
        found.append(Version(row.number, row.author, row.created_at, changed(said, now)))
        said = now
    return found


def changed(before: dict[str, str], after: dict[str, str]) -> list[Change]:
    """What differs, in the order in which it is said."""
    names = [*before, *(name for name in after if name not in before)]
    return [
        Change(name, before.get(name, ""), after.get(name, ""))
        for name in names
        if before.get(name, "") != after.get(name, "")
    ]


def statements(outcome: str, payload: dict[str, Any]) -> dict[str, str]:
    """An answer as (what, says) in words; what it does not say is left out."""
    if outcome != Annotation.Outcome.ANSWERED:
        said = {"Set aside": outcome.replace("_", " "), "Reason": payload.get("reason", "")}
    elif "marks" in payload:
        said = _steps(payload)
    elif "decision" in payload:
        said = {"Decision": payload["decision"]} | (_steps(payload["edited"]) if payload["edited"] else {})
        said |= _comparison(payload, "Critique") if payload["decision"] == "prefer" else {}
        said["Reason"] = payload["reason"]
    else:
        said = _comparison(payload, "Response") | _criteria(payload) | {"Why": payload["rationale"]}
    return {name: text for name, text in said.items() if text}


def _steps(payload: dict[str, Any]) -> dict[str, str]:
    unsure, said = set(payload.get("unsure", [])), {}
    for i, mark in enumerate(payload["marks"]):
        key, name = str(i), f"Step {i + 1}"
        said[name] = "unsure" if i in unsure else _MARKS[mark]
        for part, label in _PARTS.items():
            said[f"{name}, {label}"] = payload.get(part, {}).get(key, "")
        passages = payload.get("spans", {}).get(key, [])
        said[f"{name}, marked passages"] = ", ".join(f"{start}–{end}" for start, end in passages)
        said[f"{name}, alternatives"] = _alternatives(payload, i)
    said["Verdict"] = payload["verdict"]
    sure = payload.get("confidence")
    said["Sure"] = f"{sure} of 4" if sure else ""
    return said


def _alternatives(payload: dict[str, Any], step: int) -> str:
    mine = [b for b in payload.get("branches", []) if b["step"] == step]
    return ", ".join(_MARKS[b["mark"]] + (" and chosen" if b["chosen"] else "") for b in mine)


def _comparison(payload: dict[str, Any], noun: str) -> dict[str, str]:
    winner = payload["winner"]
    choice = "all bad" if payload["all_bad"] else "tie" if winner is None else f"{noun} {winner + 1}"
    groups = [" = ".join(str(i + 1) for i in group) for group in payload.get("ranking", [])]
    return {
        "Better": choice,
        "By how much": _STRENGTH[payload["strength"]] if winner is not None else "",
        "Ranking": " > ".join(groups),
    }


def _criteria(payload: dict[str, Any]) -> dict[str, str]:
    words = {True: "yes", False: "no", None: "–"}
    said = {
        key: ", ".join("–" if value is None else str(value) for value in values)
        for key, values in payload["ratings"].items()
    }
    return said | {k: ", ".join(words[v] for v in values) for k, values in payload["checks"].items()}

"""The versions of an answer as people read them: what it says, and what each version changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from webapp.accounts.models import User
from webapp.annotate.models import Annotation

_MARKS: dict[int | None, Promise] = {
    -1: lazy("wrong"),
    0: lazy("neutral"),
    1: lazy("good"),
    None: lazy("unjudged"),
}
_PARTS = {"kinds": lazy("kind of error"), "corrections": lazy("corrected to"), "comments": lazy("comment")}
_STRENGTH = {1: lazy("slightly"), 2: lazy("clearly"), 3: lazy("much")}
_WORDS = {
    "right": lazy("right"), "wrong": lazy("wrong"), "unknown": lazy("unknown"),
    "accept": lazy("accept"), "edit": lazy("edit"), "reject": lazy("reject"), "prefer": lazy("prefer"),
    "bad_problem": lazy("bad problem"), "give_up": lazy("give up"), "unsure": lazy("unsure"),
}  # fmt: skip


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
        said = {_("Set aside"): str(_WORDS[outcome]), _("Reason"): payload.get("reason", "")}
    elif "marks" in payload:
        said = _steps(payload)
    elif "decision" in payload:
        said = {_("Decision"): str(_WORDS[payload["decision"]])}
        said |= _steps(payload["edited"]) if payload["edited"] else {}
        said |= _comparison(payload, _("Critique {n}")) if payload["decision"] == "prefer" else {}
        said[_("Reason")] = payload["reason"]
    else:
        said = _comparison(payload, _("Response {n}")) | _criteria(payload) | {_("Why"): payload["rationale"]}
    return {name: text for name, text in said.items() if text}


def _steps(payload: dict[str, Any]) -> dict[str, str]:
    unsure, said = set(payload.get("unsure", [])), {}
    for i, mark in enumerate(payload["marks"]):
        key, name = str(i), _("Step {n}").format(n=i + 1)
        said[name] = _("unsure") if i in unsure else str(_MARKS[mark])
        for part, label in _PARTS.items():
            said[f"{name}, {label}"] = payload.get(part, {}).get(key, "")
        passages = payload.get("spans", {}).get(key, [])
        said[_("{step}, marked passages").format(step=name)] = ", ".join(
            f"{start}–{end}" for start, end in passages
        )
        said[_("{step}, alternatives").format(step=name)] = _alternatives(payload, i)
    said[_("Verdict")] = str(_WORDS[payload["verdict"]])
    sure = payload.get("confidence")
    said[_("Sure")] = _("{n} of 4").format(n=sure) if sure else ""
    return said


def _alternatives(payload: dict[str, Any], step: int) -> str:
    mine = [b for b in payload.get("branches", []) if b["step"] == step]
    return ", ".join(
        _("{mark} and chosen").format(mark=_MARKS[b["mark"]]) if b["chosen"] else str(_MARKS[b["mark"]])
        for b in mine
    )


def _comparison(payload: dict[str, Any], one: str) -> dict[str, str]:
    winner = payload["winner"]
    if payload["all_bad"]:
        choice = _("all bad")
    else:
        choice = _("tie") if winner is None else one.format(n=winner + 1)
    groups = [" = ".join(str(i + 1) for i in group) for group in payload.get("ranking", [])]
    return {
        _("Better"): choice,
        _("By how much"): str(_STRENGTH[payload["strength"]]) if winner is not None else "",
        _("Ranking"): " > ".join(groups),
    }


def _criteria(payload: dict[str, Any]) -> dict[str, str]:
    words = {True: _("yes"), False: _("no"), None: "–"}
    said = {
        key: ", ".join("–" if value is None else str(value) for value in values)
        for key, values in payload["ratings"].items()
    }
    return said | {k: ", ".join(words[v] for v in values) for k, values in payload["checks"].items()}

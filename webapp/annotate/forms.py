"""The answer as a plain HTML form: for a browser without JavaScript, and for the first paint with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from django.http import QueryDict

from webapp.annotate import comparing
from webapp.annotate.errors import PayloadInvalid
from webapp.annotate.models import Annotation, TaskKind
from webapp.annotate.payload import Beside, CritiqueContent

Outcome = Annotation.Outcome
_MARKS = {"-1": -1, "0": 0, "1": 1}
_ACTIONS = {
    "submit": Outcome.ANSWERED,
    "bad_problem": Outcome.BAD_PROBLEM,
    "give_up": Outcome.GIVE_UP,
    "unsure": Outcome.UNSURE,
}


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.lstrip("-").isdigit() else None


@dataclass(frozen=True)
class AnswerForm:
    data: QueryDict
    token: UUID
    submit_key: UUID
    action: str  # skip, or one of _ACTIONS
    reason: str

    @classmethod
    def of(cls, data: QueryDict) -> Self:
        """Raises PayloadInvalid when the form's hidden fields were damaged."""
        action = data.get("action", "submit")
        try:
            token, key = UUID(data.get("token", "")), UUID(data.get("submit_key", ""))
        except ValueError as error:
            raise PayloadInvalid(["The form was damaged. Reload the page; your draft is kept."]) from error
        if action != "skip" and action not in _ACTIONS:
            raise PayloadInvalid([f"There is no action {action!r}."])
        return cls(data, token, key, action, data.get("reason", "")[:200])

    @property
    def outcome(self) -> str:
        return _ACTIONS[self.action]

    def payload(self, kind: str, beside: Beside) -> dict[str, Any]:
        """Raises PayloadInvalid when nothing was chosen."""
        count = len(beside.texts)
        if self.outcome != Outcome.ANSWERED:
            return {"reason": self.reason, "partial": draft_of(self.data)}
        if kind == TaskKind.PREFERENCE:
            criteria = comparing.criteria_given(self.data, beside.criteria, count)
            rationale = self.data.get("rationale", "")
            return {**comparing.winner_given(self.data), **criteria, "rationale": rationale}
        judged = self._critique(count)
        if kind == TaskKind.CRITIQUE_REVIEW:
            content = {name: judged[name] for name in CritiqueContent.model_fields}
            return comparing.review_given(self.data, content, beside.critiques)
        return judged

    def _critique(self, steps: int) -> dict[str, Any]:
        """The first step rated wrong is the first error, and the form says that the rest stays unjudged."""
        draft = draft_of(self.data)
        marks = [draft["marks"].get(str(i)) for i in range(steps)]
        first = marks.index(-1) if -1 in marks else None
        if first is not None:
            marks[first + 1 :] = [None] * (steps - first - 1)
        last = steps if first is None else first + 1
        unsure = [i for i in draft["unsure"] if i < last]
        otherwise = "unknown" if unsure else "right"
        return {
            "marks": marks,
            "first_error": first,
            "unsure": unsure,
            "kinds": {k: v for k, v in draft["kinds"].items() if int(k) < last and marks[int(k)] == -1},
            "comments": draft["comments"],
            "corrections": {
                k: v for k, v in draft["corrections"].items() if int(k) < last and marks[int(k)] != 1
            },
            "verdict": self.data.get("verdict") or ("wrong" if first is not None else otherwise),
            "confidence": _whole(self.data.get("confidence")),
        }


def draft_of(data: QueryDict) -> dict[str, Any]:
    """What was filled in, unchecked: shown again after a refusal, kept when the item is set aside."""
    draft: dict[str, Any] = {"marks": {}, "unsure": [], "kinds": {}, "comments": {}, "corrections": {}}
    for name, value in data.items():
        field, _, index = name.partition("-")
        text = str(value).strip()
        if not index.isdecimal() or not text:
            continue
        if field == "mark" and text in _MARKS:
            draft["marks"][index] = _MARKS[text]
        elif field == "mark" and text == "unsure":
            draft["unsure"].append(int(index))
        elif field in ("comment", "correction", "kind"):
            draft[f"{field}s"][index] = text
    for field in ("verdict", "confidence", "winner", "strength", "rationale", "decision"):
        draft[field] = data.get(field, "")
    return draft


def draft_shown(item: dict[str, Any]) -> dict[str, Any]:
    """What an item has been answered with so far: its draft, or the answer that is opened again."""
    if returned := item.get("returned"):
        payload = returned["payload"]
        return payload if returned["outcome"] == Outcome.ANSWERED else payload.get("partial") or {}
    return (item["draft"] or {}).get("payload") or {}


def steps_shown(item: dict[str, Any], draft: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The steps of an item with what is filled in for each so far; [] where no step is judged."""
    draft = draft or draft_shown(item)
    if item["kind"] == TaskKind.CRITIQUE_REVIEW:
        return comparing.review_steps(item, draft)
    if item["kind"] != TaskKind.STEP_CRITIQUE:
        return []
    said = item["model_critique"] or {}

    def at(part: str, index: int) -> Any:
        values = draft.get(part) or {}
        if isinstance(values, list):  # the page's own drafts keep marks as a list
            return values[index] if index < len(values) else None
        return values.get(str(index)) if isinstance(values, dict) else None

    return [
        {
            **step,
            "number": step["index"] + 1,
            "mark": at("marks", step["index"]),
            "unsure": step["index"] in (draft.get("unsure") or []),
            "kind": at("kinds", step["index"]) or "",
            "comment": at("comments", step["index"]) or "",
            "correction": at("corrections", step["index"]) or "",
            "said": said_of(said, step["index"]),
        }
        for step in item["responses"][0]["steps"]
    ]


def said_of(critique: dict[str, Any], index: int) -> dict[str, Any] | None:
    """The model's word on one step: its mark as a word, its comment and its correction."""
    marks = critique.get("marks") or []
    mark = marks[index] if index < len(marks) else None
    comment = (critique.get("comments") or {}).get(str(index), "")
    correction = (critique.get("corrections") or {}).get(str(index), "")
    if mark is None and not comment and not correction:
        return None
    word = {-1: "wrong", 0: "neutral", 1: "good", None: "unjudged"}[mark]
    return {"word": word, "mark": mark, "comment": comment, "correction": correction}

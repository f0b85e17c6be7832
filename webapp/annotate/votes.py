"""What an answer says, short enough to compare two: the votes on a task and how far they disagree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from webapp.annotate.models import Annotation, TaskKind

Outcome = Annotation.Outcome


def judgement(kind: str, outcome: str, payload: dict[str, Any]) -> str:
    """The answer in a word, equal for answers that say the same.

    A first error says more than the verdict, as in `loop.annotate.aggregate`; an item set aside is a
    judgement of its own.
    """
    if outcome != Outcome.ANSWERED:
        return outcome
    if kind == TaskKind.STEP_CRITIQUE:
        return _steps(payload)
    if kind == TaskKind.CRITIQUE_REVIEW and payload["decision"] == "edit":
        return f"edit: {_steps(payload['edited'])}"
    if kind == TaskKind.CRITIQUE_REVIEW and payload["decision"] != "prefer":
        return str(payload["decision"])
    return "all bad" if payload["all_bad"] else "tie" if payload["winner"] is None else str(payload["winner"])


def _steps(payload: dict[str, Any]) -> str:
    first = payload["first_error"]
    return str(payload["verdict"]) if first is None else f"first error {first + 1}"


def disagreement(judgements: Iterable[str]) -> float:
    """1 minus the share of the largest camp: 0 when all say the same, or fewer than two speak."""
    camps = Counter(judgements)
    count = sum(camps.values())
    return 0.0 if count < 2 else 1 - max(camps.values()) / count


def disputed_steps(answers: Iterable[dict[str, Any]]) -> list[int]:
    """The steps that answers (step critique payloads) judge differently, in order.

    What follows somebody's first error they did not judge, which is no dispute: [+, -, .] and [+, +, +]
    part at the second step only. Being unsure of a step that another judged is one.
    """
    said: dict[int, set[int | None]] = defaultdict(set)
    for answer in answers:
        unsure = set(answer.get("unsure", []))
        for i, mark in enumerate(answer["marks"]):
            if mark is not None or i in unsure:
                said[i].add(mark)
    return sorted(i for i, marks in said.items() if len(marks) > 1)

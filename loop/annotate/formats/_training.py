"""What the training formats share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from loop.annotate.formats._item import Answer, Outcome, TaskItem


def prompt_text(item: TaskItem) -> str:
    """The prompt as one text: the question, or the conversation with its roles."""
    if len(item.messages) == 1:
        return item.prompt
    return "\n\n".join(f"{m.role}: {m.content}" for m in item.messages)


def messages(item: TaskItem) -> list[dict[str, str]]:
    return [{"role": m.role, "content": m.content} for m in item.messages]


def assistant(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def pairs(item: TaskItem, answer: Answer) -> list[tuple[str, str]]:
    """(better, worse) responses of a comparison: by the ranking where one was given, ties giving nothing;
    else the winner over each of the others. A tie, all bad or an answer set aside gives none."""
    if answer.outcome != Outcome.ANSWERED or not item.candidates:
        return []
    said = answer.payload
    ranking: Sequence[Sequence[int]] = said.get("ranking") or []
    if ranking:
        return [
            (item.candidates[better], item.candidates[worse])
            for above, below in combinations(ranking, 2)
            for better in above
            for worse in below
        ]
    winner = said.get("winner")
    if winner is None or said.get("all_bad"):
        return []
    best = item.candidates[winner]
    return [(best, other) for i, other in enumerate(item.candidates) if i != winner]


def decision(name: str, **said: Any) -> dict[str, Any]:
    return {"format": name, **said}

"""Which accepted examples stand in the no-training baseline's prompt, and how many of them fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from loop.records import Message

Shot = tuple[str, str]  # what the user asks, what the assistant answers


@dataclass(frozen=True, slots=True)
class Candidate:
    """An accepted example that answers a prompt in full."""

    id: int
    family: str
    user: str
    assistant: str
    by_people: bool
    weight: float = 1.0


def choose(candidates: Iterable[Candidate], k: int) -> list[Candidate]:
    """At most ``k``, the same for the same candidates: what people accepted first, then the heavier, then the
    shorter. Prompts alike are taken once, and no answer is shown twice."""
    ordered = sorted(
        candidates, key=lambda c: (not c.by_people, -c.weight, len(c.user) + len(c.assistant), c.id)
    )
    chosen: list[Candidate] = []
    seen: set[str] = set()
    for candidate in ordered:
        if len(chosen) == k:
            break
        if seen.isdisjoint({candidate.family, candidate.user, candidate.assistant}):
            seen |= {candidate.family, candidate.user, candidate.assistant}
            chosen.append(candidate)
    return chosen


def with_shots(messages: Sequence[Message], shots: Iterable[Shot]) -> tuple[Message, ...]:
    """The shots as earlier turns: after what the system is told, before the prompt's own turns."""
    start = next((i for i, m in enumerate(messages) if m.role != "system"), len(messages))
    turns = [Message(r, text) for shot in shots for r, text in zip(("user", "assistant"), shot, strict=True)]
    return (*messages[:start], *turns, *messages[start:])


def fitting(
    messages: Sequence[Message],
    shots: Sequence[Shot],
    count: Callable[[tuple[Message, ...]], int],
    room: int,
) -> int:
    """How many of the first ``shots`` fit: with them the turns' ``count`` (tokens) is within ``room``."""
    for n in range(len(shots), 0, -1):
        if count(with_shots(messages, shots[:n])) <= room:
            return n
    return 0

"""How an action is worded for a kind of model, and how its answer is read back.

A building block names the action (solve, critique, refine, judge); the dialect words it. Reading is
strict: what cannot be parsed is ``None`` or ``parsed=False``, an outcome of its own that is counted.
A dialect's ``name`` carries its version ("terse-1"): stored on every response it words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loop.records import Critique, Mark, Message, Prompt, Response, Step, Verdict


@dataclass(frozen=True, slots=True)
class ReadCritique:
    """A critique as read from text, before it is tied to a response."""

    marks: tuple[Mark | None, ...]
    first_error: int | None
    verdict: Verdict
    comments: Mapping[int, str] = field(default_factory=dict)
    corrections: Mapping[int, str] = field(default_factory=dict)


class Dialect(Protocol):
    name: str

    def solve(self, prompt: Prompt) -> tuple[Message, ...]: ...

    def critique(self, prompt: Prompt, response: Response) -> tuple[Message, ...]: ...

    def refine(
        self,
        prompt: Prompt,
        response: Response,
        critiques: Sequence[Critique],
        history: Sequence[tuple[Response, Sequence[Critique]]] = (),
    ) -> tuple[Message, ...]:
        """Ask for a rewrite of ``response``. ``history``: earlier drafts and their critiques, oldest
        first; a dialect for a small context may leave it out."""

    def try_again(self, prompt: Prompt, response: Response) -> tuple[Message, ...]:
        """Ask for a rewrite of ``response`` as `refine` does, but without a critique's words: its control."""

    def judge(self, prompt: Prompt, responses: Sequence[Response]) -> tuple[Message, ...]: ...

    def split_steps(self, text: str) -> tuple[Step, ...]:
        """Split a solution once into steps; spans are character offsets into ``text``."""

    def join_steps(self, steps: Sequence[str]) -> str:
        """The solution text made of these steps: ``split_steps(join_steps(s))`` gives ``s`` back."""

    def read_answer(self, text: str) -> str | None:
        """The final answer of a solution, or None when it states none."""

    def read_critique(self, text: str, response: Response) -> ReadCritique | None:
        """Strict: None unless the text has the asked-for form and fits the response's steps."""

    def write_critique(self, critique: Critique | ReadCritique, response: Response) -> str:
        """The inverse of `read_critique`: how the model should have said it (training target)."""

    def read_judgement(self, text: str, n: int) -> int | None:
        """Index of the preferred response, or None for a tie or unreadable text."""

    def write_judgement(self, solution: str, better: int) -> str:
        """The inverse of `read_judgement`: how the model should have said it (training target).
        ``solution`` is the model's own where a dialect asks for one first; others leave it out."""


def dialect_named(name: str) -> Dialect:
    """The dialect called ``name`` ("chat", "terse", with or without version).

    Raises:
        LookupError: no such dialect.
    """
    from loop.dialects.chat import Chat
    from loop.dialects.terse import Terse

    for dialect in (Chat(), Terse()):
        if name in (dialect.name, dialect.name.rsplit("-", 1)[0]):
            return dialect
    raise LookupError(f"no dialect called {name!r}; there are: chat, terse")

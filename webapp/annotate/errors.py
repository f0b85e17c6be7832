"""What can go wrong with an answer, as exceptions whose text is fit for the page."""

from typing import Any


class AnnotateConflict(Exception):
    """The request was understood but the world has moved on. The draft is always kept.

    ``code``: lease_lost | task_closed | already_answered | draft_conflict | revision_conflict | key_reused;
    where alternatives are asked for: not_here | no_champion | asked_enough.
    ``data`` is what the caller needs to resolve it (for a draft conflict: the newer draft).
    """

    def __init__(self, code: str, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data or {}


class PayloadInvalid(ValueError):
    """An answer that does not fit its task. ``problems`` has one plain sentence per fault."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class SimulationError(ValueError):
    """Simulated annotators cannot answer these tasks; the text says why."""

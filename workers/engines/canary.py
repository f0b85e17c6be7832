"""A canary after loading an adapter: is it really on, and does it say what its trainer said?"""

from __future__ import annotations

from typing import Any

from loop.model import Engine, ScoreRequest
from loop.records import Message

TEXTS = (
    ("What is 12 + 30?", "12 + 30 = 42"),
    ("Ann has 3 apples and buys 4 more. How many does she have?", "3 + 4 = 7\nThe answer is 7."),
    ("Is the step right? 5 * 6 = 35", "No. 5 * 6 = 30"),
)


class CanaryError(RuntimeError):
    """The adapter changes nothing: the base model would answer under its name."""


def canary(engine: Engine, adapter: str) -> dict[str, Any]:
    """Log-probs of three fixed texts under ``adapter`` and under the base.

    Raises:
        CanaryError: they are all the same.
    """
    requests = [
        ScoreRequest((Message("user", question),), answer, adapter=name)
        for name in (adapter, None)
        for question, answer in TEXTS
    ]
    totals = [scored.total for scored in engine.score(requests)]
    with_adapter, base = totals[: len(TEXTS)], totals[len(TEXTS) :]
    if with_adapter == base:
        raise CanaryError(f"adapter {adapter!r} answers exactly like the base model: it is not in effect")
    return {"adapter": with_adapter, "base": base}

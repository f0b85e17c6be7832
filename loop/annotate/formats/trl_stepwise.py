"""TRL's stepwise supervision (PRMTrainer): ``{"prompt", "completions": [str], "labels": [bool]}``.

The labels are booleans, so what becomes of a neutral step is a decision, and the manifest names it:
``positive`` and ``negative`` give it that label; ``drop`` gives it none of its own: its text is joined to
the next judged step, and left out where none follows. A step somebody was unsure about is treated as under
``drop`` always, and what follows the first error is left out: nobody judged it.
"""

from __future__ import annotations

from typing import Any

from loop.annotate.formats import _training
from loop.annotate.formats._item import SEPARATOR, Answer, Outcome, TaskItem

NEUTRAL = {"drop": None, "positive": True, "negative": False}


def rows(item: TaskItem, answer: Answer, *, neutral: str) -> list[dict[str, Any]]:
    """No row for an answer that was set aside or judged no step.

    Raises:
        ValueError: an unknown policy for neutral steps.
    """
    labels_of = {1: True, 0: _policy(neutral), -1: False, None: None}
    if answer.outcome != Outcome.ANSWERED or "marks" not in answer.payload:
        return []
    completions: list[str] = []
    labels: list[bool] = []
    waiting: list[str] = []
    for step, mark in zip(item.steps, answer.payload["marks"], strict=True):
        waiting.append(step)
        label = labels_of[mark]
        if label is not None:
            completions.append(SEPARATOR.join(waiting))
            labels.append(label)
            waiting = []
    if not completions:
        return []
    return [{"prompt": _training.prompt_text(item), "completions": completions, "labels": labels}]


def _policy(neutral: str) -> bool | None:
    if neutral not in NEUTRAL:
        raise ValueError(f"A neutral step can be treated as {', '.join(NEUTRAL)}, not as {neutral!r}.")
    return NEUTRAL[neutral]


def manifest(*, neutral: str) -> dict[str, Any]:
    """Raises ValueError for an unknown policy."""
    _policy(neutral)
    return {
        "format": "trl_stepwise",
        "neutral": neutral,
        "unsure": "drop",
        "after_first_error": "left out",
        "step_separator": SEPARATOR,
    }

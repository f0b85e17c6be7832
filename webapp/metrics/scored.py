"""Whether a response is right, as metrics count it: from a few columns, never from its texts."""

from __future__ import annotations

from django.db.models import BooleanField, ExpressionWrapper, Q

from loop.records import Verdict

# What `outcome` takes, for ``values_list`` of responses.
SCORED = (
    "verdict",
    ExpressionWrapper(Q(answer__isnull=False), output_field=BooleanField()),
    ExpressionWrapper(~Q(prompt__verifier=""), output_field=BooleanField()),
)


def outcome(verdict: str, answered: bool, checkable: bool) -> bool | None:
    """As `loop.evaluate.outcome_of`: without a readable answer it is wrong, unless nothing could check it."""
    if verdict == Verdict.RIGHT.value:
        return True
    if verdict == Verdict.WRONG.value:
        return False
    return False if verdict == Verdict.UNKNOWN.value and not answered and checkable else None

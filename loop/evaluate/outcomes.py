"""From a checker's verdict to an outcome that may be counted."""

from __future__ import annotations

from loop.records import Response, Verdict


def outcome_of(verdict: Verdict, response: Response) -> bool | None:
    """RIGHT is right and WRONG is wrong. A response that states no readable answer is wrong: a model must
    not gain by falling silent. Everything else (a failed checker, nothing to check against) is no score.
    """
    if verdict.decided:
        return verdict is Verdict.RIGHT
    if verdict is Verdict.UNKNOWN and response.answer is None:
        return False
    return None

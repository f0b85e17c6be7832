"""A simulated annotator: answers as a person would who is wrong in a given share of the tasks.

It answers from the program's judgement and errs in the ways people do: it misses the first error, calls a
right step wrong, or picks the other side. The same (seed, item) always gets the same answer, so a
re-run of the demo gives the same annotations. Whoever uses it must say so; it never poses as a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from loop.dialects import ReadCritique
from loop.domains.arithmetic.check import judge
from loop.records import Mark, Prompt, Response, Verdict


def annotate_steps(prompt: Prompt, response: Response, *, error_rate: float, seed: int) -> ReadCritique:
    """Marks, first error, comment, corrected step and verdict for one response.

    Raises:
        ValueError: ``error_rate`` is not within 0..1, or the prompt is not of this domain.
    """
    rng = _rng(error_rate, f"{seed}/steps/{response.id}")
    truth = judge(prompt, [step.text for step in response.steps])
    if rng.random() >= error_rate or not response.steps:
        return truth
    if truth.first_error is None:
        return _false_alarm(truth, rng)
    # A missed error: everything up to the end looks fine and the answer is taken for right.
    marks = tuple(Mark.GOOD if mark in (None, Mark.WRONG) else mark for mark in truth.marks)
    return ReadCritique(marks, None, Verdict.RIGHT)


def annotate_preference(
    prompt: Prompt, responses: Sequence[Response], *, error_rate: float, seed: int
) -> int | None:
    """Index of the better response; None when they are equally good.

    Better: right over wrong, then a later first error, then fewer steps. An erring annotator picks any other.

    Raises:
        ValueError: fewer than two responses, ``error_rate`` outside 0..1, or a prompt of another domain.
    """
    if len(responses) < 2:
        raise ValueError("a preference needs at least two responses")
    rng = _rng(error_rate, f"{seed}/preference/" + "/".join(r.id for r in responses))
    ranks = [_rank(prompt, response) for response in responses]
    best = max(ranks)
    winner = ranks.index(best) if ranks.count(best) == 1 else None
    if rng.random() >= error_rate:
        return winner
    return rng.choice([i for i in range(len(responses)) if i != winner])


def _rng(error_rate: float, key: str) -> Random:
    if not 0 <= error_rate <= 1:
        raise ValueError(f"the error rate must lie within 0 and 1, not {error_rate}")
    return Random(f"annotator/{key}")


def _rank(prompt: Prompt, response: Response) -> tuple[bool, int, int]:
    truth = judge(prompt, [step.text for step in response.steps])
    reached = len(truth.marks) if truth.first_error is None else truth.first_error
    right = truth.verdict is Verdict.RIGHT
    # Between two right solutions only flaws and length speak; between wrong ones, how far they got.
    return right, (truth.first_error is None) if right else reached, -len(truth.marks) if right else 0


def _false_alarm(truth: ReadCritique, rng: Random) -> ReadCritique:
    at = rng.randrange(len(truth.marks))
    marks = (*truth.marks[:at], Mark.WRONG, *[None] * (len(truth.marks) - at - 1))
    return replace(truth, marks=marks, first_error=at, verdict=Verdict.WRONG, comments={}, corrections={})

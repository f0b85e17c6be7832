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
from loop.records import Critique, Mark, Prompt, Response, Verdict


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


def review_critique(
    prompt: Prompt, response: Response, critique: Critique, *, error_rate: float, seed: int
) -> ReadCritique | None:
    """What the critique should have said; None where it is true: same first error, same verdict.

    An erring annotator holds it against a wrong judgement of their own (see `annotate_steps`).

    Raises:
        ValueError: ``error_rate`` is not within 0..1, or the prompt is not of this domain.
    """
    own = annotate_steps(prompt, response, error_rate=error_rate, seed=seed)
    return None if _judgement(critique) == _judgement(own) else own


def prefer_critique(
    prompt: Prompt, response: Response, critiques: Sequence[Critique], *, error_rate: float, seed: int
) -> tuple[int | None, bool]:
    """(index of the truer of two critiques, whether both are bad); (None, False) is a tie.

    Truer: the right verdict, then the first error's place, or the nearer one. Where both say the same,
    they are a tie when true and both bad when false. An erring annotator picks any other index or a tie.

    Raises:
        ValueError: not two critiques, ``error_rate`` outside 0..1, or a prompt of another domain.
    """
    if len(critiques) != 2:
        raise ValueError(f"two critiques are compared, not {len(critiques)}")
    rng = _rng(error_rate, f"{seed}/critiques/" + "/".join(c.id for c in critiques))
    truth = judge(prompt, [step.text for step in response.steps])
    first, second = (_truth_of(critique, truth) for critique in critiques)
    winner = None if first == second else int(second > first)
    if rng.random() < error_rate:
        return rng.choice([choice for choice in (0, 1, None) if choice != winner]), False
    return winner, winner is None and not any(_judgement(c) == _judgement(truth) for c in critiques)


def _judgement(critique: Critique | ReadCritique) -> tuple[int | None, Verdict]:
    return critique.first_error, critique.verdict


def _truth_of(critique: Critique, truth: ReadCritique) -> tuple[bool, float]:
    """How near a critique comes to the truth; more is nearer."""
    count = len(truth.marks)  # no error at all lies beyond the last step
    places = [count if c.first_error is None else c.first_error for c in (critique, truth)]
    return critique.verdict is truth.verdict, -abs(places[0] - places[1])


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

"""The control arm: the same material with its verdicts dealt out at random.

If training on it improved the model as much, the gain would not come from the judgements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

from loop.curate.material import Material
from loop.records import Critique, Mark, Preference, Prompt, Response, Score, Verdict


def shuffle_verdicts(materials: Sequence[Material], seed: int, rows: int | None = None) -> list[Material]:
    """Permute scores (by name) and people's judgements among responses, and what checkers compare with among
    prompts; deal each preference's places out anew. How many are right, wrong, undecided stays as it was.

    With ``rows``, at most that many right verdicts of each name stay in force; the others become
    unknown. So the control trains on as many examples as the arm it controls, and says what the model
    says as often as the model says it: accepting more and then leaving out repeats would even that out,
    which can improve a model without any judgement.
    """
    rng = Random(f"shuffle/{seed}")
    scores = _dealt_scores([s for m in materials for s in m.scores], rng)
    if rows is not None:
        scores = _thinned(scores, rows, rng)
    critiques = _dealt_critiques(materials, rng)
    prompts = _dealt_references([m.prompt for m in materials], rng)
    return [
        replace(
            m,
            prompt=prompts[m.prompt.id],
            scores=tuple(scores[s.name, s.response_id] for s in m.scores),
            judgements=tuple(critiques[c.id] for c in m.judgements),
            preferences=tuple(_redrawn(p, rng) for p in m.preferences),
            critique_preferences=tuple(_redrawn(p, rng) for p in m.critique_preferences),
        )
        for m in materials
    ]


def _dealt_scores(scores: Sequence[Score], rng: Random) -> dict[tuple[str, str], Score]:
    by_name: dict[str, list[Score]] = defaultdict(list)
    for score in scores:
        by_name[score.name].append(score)
    dealt = {}
    for name in sorted(by_name):
        mine = by_name[name]
        for own, other in zip(mine, _permuted(mine, rng), strict=True):
            dealt[name, own.response_id] = replace(other, response_id=own.response_id)
    return dealt


def _thinned(scores: dict[tuple[str, str], Score], rows: int, rng: Random) -> dict[tuple[str, str], Score]:
    right = sorted(key for key, score in scores.items() if score.verdict is Verdict.RIGHT)
    spared: set[tuple[str, str]] = set()
    for name in sorted({name for name, _ in right}):
        mine = [key for key in right if key[0] == name]
        spared |= set(rng.sample(mine, min(rows, len(mine))))
    return {
        k: s
        if s.verdict is not Verdict.RIGHT or k in spared
        else replace(s, value=None, verdict=Verdict.UNKNOWN)
        for k, s in scores.items()
    }


def _dealt_critiques(materials: Sequence[Material], rng: Random) -> dict[str, Critique]:
    own = [(c, m.response(c.response_id)) for m in materials for c in m.judgements]
    others = _permuted([c for c, _ in own], rng)
    return {c.id: _moved(other, c, r) for (c, r), other in zip(own, others, strict=True)}


def _moved(judgement: Critique, place: Critique, response: Response | None) -> Critique:
    """The judgement of one response put upon another: the error as far along as the steps allow."""
    steps = len(response.steps) if response is not None else len(place.marks)
    judgement = replace(judgement, branches=())  # alternatives to the other response: here they mean nothing
    error = judgement.first_error
    if error is None or not steps:
        marks: tuple[Mark | None, ...] = (Mark.GOOD if judgement.first_error is None else None,) * steps
        return replace(judgement, id=place.id, response_id=place.response_id, marks=marks, first_error=None)
    at = min(error, steps - 1)
    return replace(
        judgement,
        id=place.id,
        response_id=place.response_id,
        marks=(*[Mark.GOOD] * at, Mark.WRONG, *[None] * (steps - at - 1)),
        first_error=at,
        comments={at: judgement.comments[error]} if error in judgement.comments else {},
        corrections={at: judgement.corrections[error]} if error in judgement.corrections else {},
    )


def _redrawn(preference: Preference, rng: Random) -> Preference:
    """Every option at another's place: a ranking holds as many preferences as the winner does."""
    places = rng.sample(range(len(preference.options)), len(preference.options))
    return replace(
        preference,
        winner=None if preference.winner is None else places[preference.winner],
        ranking=tuple(tuple(places[i] for i in group) for group in preference.ranking),
    )


def _dealt_references(prompts: Sequence[Prompt], rng: Random) -> dict[str, Prompt]:
    """Each prompt with what the checker of another compares with: rows that a checker rewards only while the
    model trains bring no verdict that could be dealt."""
    by_checker: dict[str, list[Prompt]] = defaultdict(list)
    for prompt in {p.id: p for p in prompts}.values():
        by_checker[prompt.verifier].append(prompt)
    return {
        own.id: replace(own, reference=other.reference, meta=other.meta) if own.verifier else own
        for mine in by_checker.values()
        for own, other in zip(mine, _permuted(mine, rng), strict=True)
    }


T = TypeVar("T")


def _permuted(items: Sequence[T], rng: Random) -> list[T]:
    return rng.sample(items, len(items))

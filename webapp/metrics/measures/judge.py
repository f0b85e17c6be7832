"""What compares two responses: the model itself, or a scorer that gives each a number.

A model's own comparisons are `Preference` rows it wrote. A scorer's choice is the response with the higher
score, of pairs that people compared; it sees them one by one, so no place can win.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Length

from loop.annotate.aggregate import agreed_preference
from loop.evaluate.estimates import PromptSums
from loop.evaluate.judges import COUNTS, EQUAL, Pair, flips, pair_counts
from loop.evaluate.metric import Metric, Value
from loop.records import CONTENT_FREE, Author
from loop.stages import Stage
from webapp.curate.selectors import final_alone
from webapp.iterations.models import Iteration
from webapp.traces.models import Preference, Response, Score

GROUP = "Judge"
ORDER = 90

_JUDGE = "arXiv:2306.05685"
METRICS = (
    Metric("judge_agrees_with_people", "Judge agrees with people", "share", "up",
           "the same winner / pairs that people and judge decide", _JUDGE),
    Metric("judge_flips", "Judge flips with the order", "share", "down",
           "another winner after swapping / pairs judged in both orders", _JUDGE),
    Metric("judge_first_bias", "Judge prefers what stands first", "share", "",
           "the first wins / pairs it decides; 50 % is no bias", _JUDGE),
    Metric("judge_length_bias", "Judge prefers the longer", "share", "",
           "the longer wins / pairs of different length that it decides; people's own share is beside it",
           _JUDGE),
    Metric("judge_self_preference", "Judge prefers its own", "share", "",
           "its own model's wins / pairs of its own and another's that people find equal; 50 % is no bias",
           "arXiv:2404.13076"),
)  # fmt: skip

MODEL = "model"
FIRST = (
    MODEL,
    "reward",
    "process_reward",
    "self_verdict",
)  # which judge is reported, where there are several
NO_JUDGES = ("verifier", CONTENT_FREE)
CHUNK = 5000

Ids = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class _Choice:
    prompt: int
    ids: Ids
    winner: int | None
    placed: bool


def _measured(iteration: Iteration) -> Iterator[Value]:
    people = _by_people(iteration)
    choices = {
        MODEL: _by_model(iteration),
        **_by_scores({ids: prompt for ids, (prompt, _) in people.items()}),
    }
    judges = [name for name in (*FIRST, *sorted(choices)) if choices.get(name)]
    if not judges:
        return
    name = judges[0]
    chosen = choices[name]
    said = {frozenset(ids): (ids, winner) for ids, (_, winner) in people.items()}
    facts = _facts({pk for choice in chosen for pk in choice.ids})
    sums = PromptSums(*COUNTS, seed=iteration.seed)
    for choice in chosen:
        sums.add(choice.prompt, pair_counts(_pair(choice, said, facts, iteration)))
    detail = {"judge": name, "judges": list(dict.fromkeys(judges))}
    if sums.total("judged"):
        yield sums.share("judge_agrees_with_people", "agrees", "judged", detail=detail)
    if sums.total("placed"):
        yield sums.share("judge_first_bias", "first", "placed", detail=detail)
    if sums.total("unequal"):
        both = sums.total("people_unequal")
        taste = sums.total("people_longer") / both if both else None
        told = detail | {"people": taste, "people_n": both}
        yield sums.share("judge_length_bias", "longer", "unequal", detail=told)
    if sums.total("mixed"):
        yield sums.share("judge_self_preference", "own", "mixed", detail=detail)
    yield from _flips(iteration, chosen, detail)


def _by_people(iteration: Iteration) -> dict[Ids, tuple[int, int | None]]:
    """Pairs of responses that people compared: (prompt, winner or `EQUAL`), where most of them agree."""
    rows = (
        Preference.objects.filter(iteration=iteration, author_kind=Author.PERSON.value, critique_ids=[])
        .annotate(word=F("annotation__task__adjudication"))
        .order_by("created_at", "id")
    )
    votes: dict[frozenset[UUID], list[Preference]] = defaultdict(list)
    for row in final_alone(rows.iterator(chunk_size=CHUNK), lambda p: frozenset(p.response_ids)):
        if len(row.response_ids) == 2:
            votes[frozenset(row.response_ids)].append(row)
    found: dict[Ids, tuple[int, int | None]] = {}
    for group in votes.values():
        agreed = agreed_preference([row.record() for row in group]).preference
        if agreed is not None:
            first, second = (UUID(pk) for pk in agreed.response_ids)
            winner = EQUAL if agreed.winner is None else agreed.winner
            found[first, second] = group[0].prompt_id, winner
    return found


def _by_model(iteration: Iteration) -> list[_Choice]:
    rows = Preference.objects.filter(
        iteration=iteration, author_kind=Author.MODEL.value, critique_ids=[], response_ids__len=2
    )
    columns = rows.order_by("created_at", "id").values_list("prompt_id", "response_ids", "winner")
    return [
        _Choice(prompt, (ids[0], ids[1]), winner, True)
        for prompt, ids, winner in columns.iterator(chunk_size=CHUNK)
    ]


def _by_scores(pairs: dict[Ids, int]) -> dict[str, list[_Choice]]:
    """Each scorer's choices between the two sides of these pairs; equal scores are a tie."""
    about = {pk for ids in pairs for pk in ids}
    scores: dict[str, dict[UUID, float]] = defaultdict(dict)
    rows = Score.objects.filter(response__in=about, value__isnull=False).exclude(name__in=NO_JUDGES)
    for name, response, value in rows.values_list("name", "response_id", "value"):
        scores[name][response] = value or 0.0
    found: dict[str, list[_Choice]] = defaultdict(list)
    for name, given in scores.items():
        for ids, prompt in pairs.items():
            if ids[0] in given and ids[1] in given:
                gap = given[ids[0]] - given[ids[1]]
                found[name].append(_Choice(prompt, ids, None if gap == 0 else int(gap < 0), False))
    return found


def _facts(ids: set[UUID]) -> dict[UUID, tuple[int, int | None]]:
    """(length in characters, model version) of each response."""
    rows = Response.objects.filter(pk__in=ids).values_list("pk", Length("text"), "model_version_id")
    return {pk: (length, version) for pk, length, version in rows.iterator(chunk_size=CHUNK)}


def _pair(
    choice: _Choice,
    said: dict[frozenset[UUID], tuple[Ids, int | None]],
    facts: dict[UUID, tuple[int, int | None]],
    iteration: Iteration,
) -> Pair:
    longer = own = None
    if all(pk in facts for pk in choice.ids):
        (length, version), (other, second) = (facts[pk] for pk in choice.ids)
        longer = None if length == other else int(other > length)
        mine = [v is not None and v == iteration.champion_id for v in (version, second)]
        own = mine.index(True) if sum(mine) == 1 else None
    order, winner = said.get(frozenset(choice.ids), (choice.ids, None))
    if winner is not None and winner != EQUAL and order != choice.ids:
        winner = 1 - winner
    return Pair(choice.winner, longer, own, winner, choice.placed)


def _flips(iteration: Iteration, chosen: Iterable[_Choice], detail: Mapping[str, object]) -> Iterator[Value]:
    """Of pairs judged in both orders; the last word in each order counts."""
    orders = {choice.ids: choice for choice in chosen if choice.placed}
    sums = PromptSums("flips", "both", seed=iteration.seed)
    for (first, second), choice in orders.items():
        swapped = orders.get((second, first))
        if swapped is not None and first < second:
            sums.add(choice.prompt, {"flips": flips(choice.winner, swapped.winner), "both": 1})
    if sums:
        yield sums.share("judge_flips", "flips", "both", detail=detail)


MEASURES = {Stage.ANNOTATE: _measured}

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
from loop.evaluate.judges import COUNTS, EQUAL, Pair, flips, own_share, pair_counts
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
    Metric("judge_length_excess", "Judge prefers the longer more than people do", "points", "",
           "(the longer wins by the judge - by people) / pairs of different length that both decide", _JUDGE),
    Metric("judge_self_preference", "Judge prefers its own", "share", "",
           "mean of (P_fwd + P_bwd) / 2 that the model prefers its own, a tie being a half, over pairs of its"
           " own and another's response that it judged in both orders and people find equal; 50 % is no bias",
           "arXiv:2404.13076", version=2),
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
Said = Mapping[frozenset[UUID], tuple[Ids, int | None]]  # what people chose of a pair, in which order
Facts = Mapping[UUID, tuple[int, int | None]]  # length in characters and model version of a response


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
        sums.add(choice.prompt, pair_counts(_pair(choice, said, facts)))
    detail = {"judge": name, "judges": list(dict.fromkeys(judges))}
    if sums.total("judged"):
        yield sums.share("judge_agrees_with_people", "agrees", "judged", detail=detail)
    if sums.total("placed"):
        yield sums.share("judge_first_bias", "first", "placed", detail=detail)
    if sums.total("unequal"):
        both = sums.total("both_unequal")
        taste = sums.total("people_longer") / both if both else None
        told = detail | {"people": taste, "people_n": both}
        yield sums.share("judge_length_bias", "longer", "unequal", detail=told)
        if both:
            columns = ("both_longer", "people_longer", "both_unequal")
            yield sums.value("judge_length_excess", lambda j, p, n: (j - p) / n, *columns, detail=told)
    yield from _in_both_orders(iteration, chosen, said, facts, detail)


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


def _facts(ids: set[UUID]) -> Facts:
    rows = Response.objects.filter(pk__in=ids).values_list("pk", Length("text"), "model_version_id")
    return {pk: (length, version) for pk, length, version in rows.iterator(chunk_size=CHUNK)}


def _pair(
    choice: _Choice,
    said: Said,
    facts: Facts,
) -> Pair:
    longer = None
    if all(pk in facts for pk in choice.ids):
        length, other = (facts[pk][0] for pk in choice.ids)
        longer = None if length == other else int(other > length)
    order, winner = said.get(frozenset(choice.ids), (choice.ids, None))
    if winner is not None and winner != EQUAL and order != choice.ids:
        winner = 1 - winner
    return Pair(choice.winner, longer, winner, choice.placed)


def _in_both_orders(
    iteration: Iteration, chosen: Iterable[_Choice], said: Said, facts: Facts, detail: Mapping[str, object]
) -> Iterator[Value]:
    """Of pairs judged in both orders; the last word in each order counts. A scorer has neither an order nor
    responses of its own."""
    orders = {choice.ids: choice for choice in chosen if choice.placed}
    sums = PromptSums("flips", "both", "own", "mixed", seed=iteration.seed)
    for (first, second), choice in orders.items():
        swapped = orders.get((second, first))
        if swapped is None or first > second:
            continue
        counts: dict[str, float] = {"flips": flips(choice.winner, swapped.winner), "both": 1}
        writers = [facts[pk][1] if pk in facts else None for pk in (first, second)]
        _order, people = said.get(frozenset(choice.ids), (choice.ids, None))
        if people == EQUAL and iteration.champion_id and writers.count(iteration.champion_id) == 1:
            own = writers.index(iteration.champion_id)
            counts |= {"mixed": 1, "own": own_share(choice.winner, swapped.winner, own)}
        sums.add(choice.prompt, counts)
    if sums:
        yield sums.share("judge_flips", "flips", "both", detail=detail)
    if sums.total("mixed"):
        yield sums.share("judge_self_preference", "own", "mixed", detail=detail)


MEASURES = {Stage.ANNOTATE: _measured}

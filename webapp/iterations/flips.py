"""Held-out prompts that the challenger turned right or wrong, with both responses."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet

from webapp.iterations.models import Iteration
from webapp.registry.models import Evaluation, EvaluationOutcome

PER_PAGE = 5


@dataclass(frozen=True, slots=True)
class Flip:
    after: EvaluationOutcome
    before: EvaluationOutcome


@dataclass(frozen=True, slots=True)
class Pair:
    """The same prompts under both versions."""

    before: Evaluation
    after: Evaluation


def pair_of(iteration: Iteration, split: str = "heldout") -> Pair | None:
    """The challenger's latest finished evaluation and the champion's on exactly the same prompts."""
    versions = [v for v in (iteration.champion_id, iteration.challenger_id) if v]
    rows = list(Evaluation.objects.filter(model_version__in=versions, split=split, done=True).order_by("-id"))
    after = next((e for e in rows if e.model_version_id == iteration.challenger_id), None)
    if after is None:
        return None
    same = (
        e for e in rows if e.model_version_id == iteration.champion_id and e.prompts_sha == after.prompts_sha
    )
    before = next(same, None)
    return Pair(before, after) if before else None


def flipped(pair: Pair, now: str) -> QuerySet[EvaluationOutcome]:
    """Outcomes of the challenger that are ``now`` ("right" or "wrong") and were the opposite before."""
    was = "wrong" if now == "right" else "right"
    before = EvaluationOutcome.objects.filter(evaluation=pair.before, verdict=was)
    return (
        EvaluationOutcome.objects.filter(
            evaluation=pair.after, verdict=now, prompt__in=before.values("prompt")
        )
        .select_related("prompt", "response")
        .order_by("prompt_id")
    )


def flips_page(pair: Pair, now: str, number: str | int | None) -> tuple[Page, list[Flip]]:
    """One page of flips: three queries whatever its length."""
    page = Paginator(flipped(pair, now), PER_PAGE).get_page(number)
    outcomes = list(page.object_list)
    earlier = {
        outcome.prompt_id: outcome
        for outcome in EvaluationOutcome.objects.filter(
            evaluation=pair.before, prompt__in=[o.prompt_id for o in outcomes]
        ).select_related("response")
    }
    return page, [Flip(after, earlier[after.prompt_id]) for after in outcomes]

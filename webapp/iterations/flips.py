"""Held-out prompts that the challenger turned right or wrong, with both responses."""

from __future__ import annotations

from django.core.paginator import Page

from webapp.iterations.models import Iteration
from webapp.registry.comparing import Both, Pair, both_page, outcomes_shown
from webapp.registry.models import Evaluation

PER_PAGE = 5


def pair_of(iteration: Iteration, split: str = "heldout") -> Pair | None:
    """The challenger's latest finished evaluation and, on exactly the same prompts, that of what it is to
    replace: the champion, or of a scorer the one in use."""
    replaced = [v for v in (iteration.champion_id, iteration.scorer_id) if v and v != iteration.challenger_id]
    versions = [*replaced, *([iteration.challenger_id] if iteration.challenger_id else [])]
    done = Evaluation.objects.bare().filter(model_version__in=versions, split=split, done=True)
    rows = list(done.order_by("-id"))
    after = next((e for e in rows if e.model_version_id == iteration.challenger_id), None)
    if after is None:
        return None
    same = (e for e in rows if e.model_version_id in replaced and e.prompts_sha == after.prompts_sha)
    before = next(same, None)
    return Pair(before, after) if before else None


def flips_page(pair: Pair, now: str, number: str | int | None) -> tuple[Page, list[Both]]:
    """One page of prompts that are ``now`` ("right" or "wrong") and were the opposite before."""
    return both_page(pair, outcomes_shown(pair, f"turned_{now}"), number, PER_PAGE)

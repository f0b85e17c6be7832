"""Held-out prompts that the challenger turned right or wrong, with both responses."""

from __future__ import annotations

from collections.abc import Mapping

from django.core.paginator import Page, Paginator
from django.db.models import Count

from webapp.iterations.models import Iteration
from webapp.registry.comparing import SHOWS, Both, Pair, both_of, outcomes_paired, outcomes_shown
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


def flips_of(pair: Pair, numbers: Mapping[str, str | None]) -> list[tuple[str, Page, list[Both]]]:
    """(now, a page, its rows) of the prompts that are ``now`` ("right" or "wrong") and were the opposite.

    ``numbers``: which page of each. Four queries, whatever there is.
    """
    counted = outcomes_paired(pair).order_by().values_list("was", "verdict").annotate(n=Count("id"))
    counts = {(was, verdict): n for was, verdict, n in counted}
    pages = {}
    for now, number in numbers.items():
        show = f"turned_{now}"
        paginator = Paginator(outcomes_shown(pair, show), PER_PAGE)
        paginator.count = counts.get(SHOWS[show], 0)  # known: not counted again
        pages[now] = paginator.get_page(number)
    outcomes = {now: list(page.object_list) for now, page in pages.items()}
    both = {b.after.pk: b for b in both_of(pair, [o for rows in outcomes.values() for o in rows])}
    return [(now, pages[now], [both[o.pk] for o in rows]) for now, rows in outcomes.items()]

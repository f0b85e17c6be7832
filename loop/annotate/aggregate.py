"""Several people's judgements of one response or comparison become one, by majority.

A tie is not decided by chance: it needs adjudication, and until then it trains nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from loop.phrases import phrase
from loop.records import Critique, Mark, Preference, Verdict

TIE = phrase("people disagree: needs adjudication")
NOBODY = phrase("nobody judged it")
UNSURE = phrase("whoever judged it was not sure")


@dataclass(frozen=True, slots=True)
class AgreedCritique:
    """``critique`` is None when there is no agreed judgement; ``reason`` then says why."""

    critique: Critique | None
    reason: str = ""
    sources: tuple[str, ...] = ()  # ids of the critiques that were looked at


@dataclass(frozen=True, slots=True)
class AgreedPreference:
    preference: Preference | None
    reason: str = ""
    sources: tuple[str, ...] = ()


def agreed_critique(critiques: Sequence[Critique]) -> AgreedCritique:
    """The judgement that more people share than any other: same first error, or no error and same verdict.

    Marks, comments and corrections come from those who share it; the first person's where they differ.
    """
    sources = tuple(c.id for c in critiques)
    if not critiques:
        return AgreedCritique(None, NOBODY)
    sure = [c for c in critiques if c.first_error is not None or c.verdict.decided]
    if not sure:
        return AgreedCritique(None, UNSURE, sources)
    winner = _majority([_judgement(c) for c in sure])
    if winner is None:
        return AgreedCritique(None, TIE, sources)
    side = [c for c in sure if _judgement(c) == winner[0]]
    merged = replace(
        side[0],
        marks=_merged(side),
        comments={i: t for c in reversed(side) for i, t in c.comments.items()},
        corrections={i: t for c in reversed(side) for i, t in c.corrections.items()},
        branches=tuple({b.response_id: b for c in reversed(side) for b in c.branches}.values()),
    )
    return AgreedCritique(merged, "", sources)


def agreed_preference(preferences: Sequence[Preference]) -> AgreedPreference:
    """The majority winner among preferences over the same responses, or the same critiques, in any order."""
    sources = tuple(p.id for p in preferences)
    if not preferences:
        return AgreedPreference(None, NOBODY)
    winner = _majority([_choice(p) for p in preferences])
    if winner is None:
        return AgreedPreference(None, TIE, sources)
    side = [p for p in preferences if _choice(p) == winner[0]]
    # The rest of a ranking counts where nobody on that side ranks otherwise.
    ranked = {_ranking(p): p for p in side if p.ranking}
    agreed = next(iter(ranked.values())) if len(ranked) == 1 else replace(side[0], ranking=())
    return AgreedPreference(agreed, "", sources)


def _judgement(critique: Critique) -> tuple[int | None, Verdict | None]:
    # Where a first error is marked, the position is the judgement; the verdict follows from it.
    return critique.first_error, critique.verdict if critique.first_error is None else None


def _choice(preference: Preference) -> tuple[str | None, bool]:
    winner = preference.winner
    return (None if winner is None else preference.options[winner]), preference.all_bad


def _merged(side: Sequence[Critique]) -> tuple[Mark | None, ...]:
    """Per step the first mark that anybody gave. A step that all were unsure of stays unjudged: a label
    nobody gave is not invented, not even before a first error."""
    return tuple(
        next((m for m in marks if m is not None), None)
        for marks in zip(*(c.marks for c in side), strict=True)
    )


def _ranking(preference: Preference) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(preference.response_ids[i] for i in group) for group in preference.ranking)


T = TypeVar("T", bound=Hashable)


def _majority(votes: Sequence[T]) -> tuple[T] | None:
    ranked = Counter(votes).most_common(2)
    if len(ranked) == 2 and ranked[0][1] == ranked[1][1]:
        return None
    return (ranked[0][0],)

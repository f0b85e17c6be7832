"""Preference data for the critic: of two critiques of one response, the better over the worse.

People comparing critiques is how critics are trained by preference in McAleese et al., 2024,
arXiv:2407.00215 (there with a reward model; here the pairs are trained on directly).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from loop.annotate.aggregate import agreed_preference
from loop.curate.material import SAME, Candidate, Material, capped, checker_disagrees, normalised
from loop.dialects import Dialect
from loop.phrases import phrase
from loop.records import Critique, Preference, Response, RowKind, TrainRow

ALL_BAD = phrase("people call both critiques bad")
EQUAL = phrase("people call the two critiques a tie")
GONE = phrase("a critique that was compared is gone")
DISAGREES = phrase("the checker sides with the critique that people like less")


def critique_pairs(
    materials: Iterable[Material], *, dialect: Dialect, max_per_prompt: int = 10
) -> list[Candidate]:
    """Prompt and response -> the critique that people prefer over the other, each as it was written.

    Dropped where the checker contradicts the verdict of the preferred critique but not the other's.
    """
    candidates: list[Candidate] = []
    for material in materials:
        groups: dict[frozenset[str], list[Preference]] = defaultdict(list)
        for preference in material.critique_preferences:
            groups[frozenset(preference.options)].append(preference)
        mine = [_candidate(material, group, dialect) for group in groups.values()]
        candidates += capped(mine, max_per_prompt, phrase("critique pairs"))
    return candidates


def _candidate(material: Material, group: list[Preference], dialect: Dialect) -> Candidate:
    """What people who compared the same two critiques amount to."""
    agreed = agreed_preference(group)
    choice, response_id = agreed.preference, group[0].response_ids[0]
    row, reason = None, agreed.reason
    if choice is not None and choice.winner is None:
        reason = ALL_BAD if choice.all_bad else EQUAL
    elif choice is not None:
        row, reason = _row(material, choice, dialect)
    return Candidate(
        RowKind.CRITIQUE_PAIR, material.prompt.id, row, response_id, agreed.sources, "people", reason
    )


def _row(material: Material, choice: Preference, dialect: Dialect) -> tuple[TrainRow | None, str]:
    assert choice.winner is not None
    response = material.response(choice.response_ids[0])
    known = {c.id: c for c in (*material.critiques, *material.judgements)}
    better = known.get(choice.options[choice.winner])
    worse = known.get(choice.options[1 - choice.winner])
    if response is None or better is None or worse is None:
        return None, GONE
    try:
        chosen, rejected = _text(better, response, dialect), _text(worse, response, dialect)
    except ValueError as error:
        return None, f"cannot be written as a critique: {error}"
    messages = dialect.critique(material.prompt, response)
    row = TrainRow(RowKind.CRITIQUE_PAIR, material.prompt.id, messages, chosen, rejected)
    if normalised(chosen) == normalised(rejected):
        return row, SAME
    against = checker_disagrees(material, response, better)
    return row, DISAGREES if against and not checker_disagrees(material, response, worse) else ""


def _text(critique: Critique, response: Response, dialect: Dialect) -> str:
    """The model's own words: a preference over them is one over what it would say. Others are worded."""
    return critique.text.strip() or dialect.write_critique(critique, response)

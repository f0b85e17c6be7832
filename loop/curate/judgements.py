"""Rows that teach the model to compare two responses: what it should say, in the dialect's words.

The pairs are those of preference training: people's comparisons, then accepted responses over refused ones,
as in Wang et al., 2024, arXiv:2408.02666. Each is shown in both orders, so that the place says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from loop.curate.material import Accept, Candidate, Material
from loop.curate.pairs import preference_pairs
from loop.dialects import Dialect
from loop.records import Response, RowKind, TrainRow


def judgement_rows(
    materials: Iterable[Material], *, dialect: Dialect, accept: Accept = "verifier", max_per_prompt: int = 10
) -> list[Candidate]:
    """Prompt and two responses -> the better one, twice: shown first, and shown second.

    ``max_per_prompt`` counts pairs.
    """
    found: list[Candidate] = []
    for material in materials:
        for pair in preference_pairs(
            [material], dialect=dialect, accept=accept, max_per_prompt=max_per_prompt
        ):
            if pair.row is None:
                found.append(replace(pair, kind=RowKind.JUDGEMENT))
            else:
                found += [
                    replace(pair, kind=RowKind.JUDGEMENT, row=_row(material, pair.row, place, dialect))
                    for place in (0, 1)
                ]
    return found


def _row(material: Material, pair: TrainRow, place: int, dialect: Dialect) -> TrainRow:
    """The pair with its better side at ``place``."""
    better, worse = _shown(pair.prompt_id, pair.chosen), _shown(pair.prompt_id, pair.rejected or "")
    shown = [worse, worse]
    shown[place] = better
    return TrainRow(
        RowKind.JUDGEMENT,
        pair.prompt_id,
        dialect.judge(material.prompt, shown),
        chosen=dialect.write_judgement(pair.chosen, place),
        weight=pair.weight,
    )


def _shown(prompt_id: str, text: str) -> Response:
    return Response("", prompt_id, text, ())

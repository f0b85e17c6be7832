"""All rows a recipe asks for, in one call."""

from __future__ import annotations

from collections.abc import Sequence

from loop.curate.critique_pairs import critique_pairs
from loop.curate.critiques import critique_rows, refinement_rows
from loop.curate.material import Candidate, Material
from loop.curate.pairs import preference_pairs, step_pairs
from loop.curate.samples import accepted_samples
from loop.curate.trajectories import corrected_trajectories
from loop.dialects import Dialect
from loop.recipe import CuratePart
from loop.records import RowKind


def curate(materials: Sequence[Material], part: CuratePart, dialect: Dialect) -> list[Candidate]:
    """Candidates of every kind in ``part.rows``, in that order, each kept or dropped with its reason."""
    builders = {
        RowKind.SAMPLE: accepted_samples,
        RowKind.TRAJECTORY: corrected_trajectories,
        RowKind.REFINEMENT: refinement_rows,
        RowKind.STEP_PAIR: step_pairs,
        RowKind.PREFERENCE: preference_pairs,
    }
    by_people = {RowKind.CRITIQUE: critique_rows, RowKind.CRITIQUE_PAIR: critique_pairs}
    found: list[Candidate] = []
    for kind in part.rows:
        if kind in by_people:  # about people's words on critiques: nothing else can accept them
            found += by_people[kind](materials, dialect=dialect, max_per_prompt=part.max_per_prompt)
        else:
            found += builders[kind](
                materials, dialect=dialect, accept=part.accept, max_per_prompt=part.max_per_prompt
            )
    return found

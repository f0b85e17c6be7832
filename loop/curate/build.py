"""All rows a recipe asks for, in one call."""

from __future__ import annotations

from collections.abc import Sequence

from loop.curate.critique_pairs import critique_pairs
from loop.curate.critiques import critique_rows, refinement_rows
from loop.curate.judgements import judgement_rows
from loop.curate.labels import step_labels
from loop.curate.material import Candidate, Material, certain, with_scorer_verdicts
from loop.curate.outcomes import outcome_rows
from loop.curate.pairs import preference_pairs, step_pairs
from loop.curate.partials import partial_rows
from loop.curate.prompt_rows import prompt_rows
from loop.curate.samples import accepted_samples
from loop.curate.trajectories import corrected_trajectories
from loop.dialects import Dialect
from loop.recipe_parts import CuratePart
from loop.records import RowKind


def curate(materials: Sequence[Material], part: CuratePart, dialect: Dialect) -> list[Candidate]:
    """Candidates of every kind in ``part.rows``, in that order, each kept or dropped with its reason."""
    builders = {
        RowKind.SAMPLE: accepted_samples,
        RowKind.TRAJECTORY: corrected_trajectories,
        RowKind.REFINEMENT: refinement_rows,
        RowKind.STEP_PAIR: step_pairs,
        RowKind.PREFERENCE: preference_pairs,
        RowKind.OUTCOME: outcome_rows,
        RowKind.JUDGEMENT: judgement_rows,
        RowKind.PROMPT: prompt_rows,
    }
    by_people = {
        RowKind.CRITIQUE: critique_rows,
        RowKind.CRITIQUE_PAIR: critique_pairs,
        RowKind.PARTIAL: partial_rows,
        RowKind.STEP_LABELS: step_labels,
    }
    if part.accept == "scorer":
        materials = [with_scorer_verdicts(m, part.threshold) for m in materials]
    if not part.soft_targets:
        materials = [certain(m) for m in materials]
    found: list[Candidate] = []
    for kind in part.rows:
        if kind in by_people:  # rows of people's own words: nothing else can accept them
            found += by_people[kind](materials, dialect=dialect, max_per_prompt=part.max_per_prompt)
        else:
            found += builders[kind](
                materials, dialect=dialect, accept=part.accept, max_per_prompt=part.max_per_prompt
            )
    return found

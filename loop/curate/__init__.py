"""Curation: from what the model and people said to training rows, with a reason for every drop."""

from loop.curate.build import curate
from loop.curate.critique_pairs import critique_pairs
from loop.curate.critiques import critique_rows, refinement_rows
from loop.curate.judgements import judgement_rows
from loop.curate.labels import step_labels
from loop.curate.material import Candidate, LeakError, Material, funnel, in_order, with_scorer_verdicts
from loop.curate.outcomes import outcome_rows
from loop.curate.pairs import preference_pairs, step_pairs
from loop.curate.partials import partial_rows
from loop.curate.prompt_rows import prompt_rows
from loop.curate.samples import accepted_samples
from loop.curate.shuffle import shuffle_verdicts
from loop.curate.trajectories import corrected_trajectories

__all__ = [
    "Candidate",
    "LeakError",
    "Material",
    "accepted_samples",
    "corrected_trajectories",
    "critique_pairs",
    "critique_rows",
    "curate",
    "funnel",
    "in_order",
    "judgement_rows",
    "outcome_rows",
    "partial_rows",
    "preference_pairs",
    "prompt_rows",
    "refinement_rows",
    "shuffle_verdicts",
    "step_labels",
    "step_pairs",
    "with_scorer_verdicts",
]

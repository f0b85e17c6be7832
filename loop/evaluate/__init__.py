"""Measuring: rates with intervals, paired comparisons, what refinement changed.

An outcome is ``True`` (right), ``False`` (wrong) or ``None`` (could not be scored: an error is not a score).
"""

from loop.evaluate.outcomes import outcome_of
from loop.evaluate.paired import Bootstrap, McNemar, mcnemar, paired, paired_bootstrap
from loop.evaluate.rates import Rate, accuracy, maj_at_k, pass_at_k
from loop.evaluate.refinement import CorrectionMatrix, correction_matrix

__all__ = [
    "Bootstrap",
    "CorrectionMatrix",
    "McNemar",
    "Rate",
    "accuracy",
    "correction_matrix",
    "maj_at_k",
    "mcnemar",
    "outcome_of",
    "paired",
    "paired_bootstrap",
    "pass_at_k",
]

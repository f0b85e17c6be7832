"""Measuring: rates with intervals, paired comparisons, what refinement changed.

An outcome is ``True`` (right), ``False`` (wrong) or ``None`` (could not be scored: an error is not a score).
"""

from loop.evaluate.comparison import Comparison, compare
from loop.evaluate.outcomes import outcome_of
from loop.evaluate.paired import Bootstrap, McNemar, fall_p_value, holm, mcnemar, paired, paired_bootstrap
from loop.evaluate.rates import Rate, accuracy, maj_at_k, pass_at_k
from loop.evaluate.refinement import CorrectionMatrix, correction_matrix

__all__ = [
    "Bootstrap",
    "Comparison",
    "CorrectionMatrix",
    "McNemar",
    "Rate",
    "accuracy",
    "compare",
    "correction_matrix",
    "fall_p_value",
    "holm",
    "maj_at_k",
    "mcnemar",
    "outcome_of",
    "paired",
    "paired_bootstrap",
    "pass_at_k",
]

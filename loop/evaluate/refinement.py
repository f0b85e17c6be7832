"""What refinement did to right and wrong responses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CorrectionMatrix:
    """Counts of (first version, final version) outcomes over responses that were scored both times."""

    wrong_to_right: int = 0
    right_to_wrong: int = 0
    right_to_right: int = 0
    wrong_to_wrong: int = 0
    errors: int = 0  # pairs left out because one side could not be scored

    @property
    def n(self) -> int:
        return self.wrong_to_right + self.right_to_wrong + self.right_to_right + self.wrong_to_wrong


def correction_matrix(pairs: Iterable[tuple[bool | None, bool | None]]) -> CorrectionMatrix:
    """Count (outcome before, outcome after) pairs."""
    counts = {(False, True): 0, (True, False): 0, (True, True): 0, (False, False): 0}
    errors = 0
    for before, after in pairs:
        if before is None or after is None:
            errors += 1
        else:
            counts[before, after] += 1
    return CorrectionMatrix(
        counts[False, True], counts[True, False], counts[True, True], counts[False, False], errors
    )

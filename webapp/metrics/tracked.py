"""What a tracker is told: plain data, which goes into a process of its own without Django."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a tracker is told of a finished iteration.

    ``values``: by name, ``metric`` or ``metric/source``; the ends of intervals as ``metric_low`` and so on.
    ``facts``: recipe and decision of this and all earlier iterations of its arm, by ``iteration_N``.
    """

    run: str
    number: int
    at: datetime
    values: Mapping[str, float]
    facts: Mapping[str, Mapping[str, Any]]

    @property
    def own(self) -> Mapping[str, Any]:
        return self.facts[f"iteration_{self.number}"]

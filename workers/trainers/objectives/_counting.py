"""What every trainer counts, for speed and padding share."""

from __future__ import annotations

from typing import Any


class Counting:
    """Counts the tokens that went through, with and without padding."""

    tokens_seen = 0
    cells_seen = 0

    def count(self, inputs: dict[str, Any]) -> None:
        self.tokens_seen += int(inputs["attention_mask"].sum())
        self.cells_seen += inputs["attention_mask"].numel()

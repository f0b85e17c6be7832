"""What every trainer counts, for speed and padding share."""

from __future__ import annotations

from typing import Any


class Counting:
    """Counts the tokens that went through, with and without padding.

    ``tokens_seen`` may lie on the device, so that counting does not wait for it: read it with ``int``.
    """

    tokens_seen: Any = 0
    cells_seen = 0

    def count(self, inputs: dict[str, Any]) -> None:
        self.tokens_seen = self.tokens_seen + inputs["attention_mask"].sum()
        self.cells_seen += inputs["attention_mask"].numel()

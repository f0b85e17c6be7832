"""An update's loss, however its rows are cut into micro-batches."""

from __future__ import annotations

from typing import Any

import torch
from transformers import Trainer


class PerUpdate(Trainer):
    """Mixed in before a TRL trainer whose loss is a sum over rows divided by a count of the whole update.

    A mean per micro-batch, averaged over micro-batches, would weigh rows by how they were cut: halving the
    micro-batch when memory runs out would then change the update. So `counts` are summed over the update's
    micro-batches and processes first; the loss divides by them (`per_update`).
    """

    loss_is_scaled_for_ga = True

    def counts(self, inputs: dict[str, Any]) -> torch.Tensor:
        """What the loss divides by, of one micro-batch: a vector of numbers."""
        raise NotImplementedError

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor | None:
        if not batch_samples:
            return None
        counted = torch.stack([self.counts(batch) for batch in batch_samples]).sum(0).to(device)
        gathered = self.accelerator.gather(counted[None])
        return torch.as_tensor(gathered).sum(0)

    def per_update(self, inputs: dict[str, Any], counted: Any) -> torch.Tensor:
        """The counts of the update that ``inputs`` are part of, at least 1 each, per process: processes
        average their gradients, so each gives its share times their number."""
        found = self.counts(inputs) if counted is None else counted
        return found.float().clamp(min=1) / self.accelerator.num_processes

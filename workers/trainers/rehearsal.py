"""A pass over the longest rows, so that what does not fit in memory shows before the first update."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch

from workers.trainers.lengths import row_length


def rehearse(trainer: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Go forward and back through ``rows`` as one micro-batch and leave no gradient, count or random draw.

    Not done for rows without ids (their length is not known before the model has written), nor by several
    processes, of which one alone may run out.

    Raises:
        RuntimeError: as torch raises it when memory does not suffice.
    """
    if trainer.args.world_size > 1 or not any(map(row_length, rows)):
        return
    with _untouched(trainer):
        inputs = trainer._prepare_inputs(trainer.data_collator(list(rows)))
        trainer.model.train()
        with trainer.compute_loss_context_manager():
            loss = trainer.compute_loss(trainer.model, inputs)
        loss.backward()
        del loss, inputs
    trainer.model.zero_grad(set_to_none=True)


@contextmanager
def _untouched(trainer: Any) -> Iterator[None]:
    counted = trainer.tokens_seen, trainer.cells_seen
    metrics, state = deepcopy(getattr(trainer, "_metrics", None)), random.getstate()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(state)
        trainer.tokens_seen, trainer.cells_seen = counted
        if metrics is not None:
            trainer._metrics = metrics

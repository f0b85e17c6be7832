"""Numbers about given token ids, many texts in one padded forward pass: log-probs, and a scorer's rewards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from workers.engines.memory import LOGIT_BYTES, is_out_of_memory, release


@dataclass(frozen=True)
class Text:
    """``completion`` after ``context``, both as ids; ``index`` is the caller's. ``reads`` are the positions,
    in both together, at which a scorer is read."""

    index: int
    context: tuple[int, ...]
    completion: tuple[int, ...]
    reads: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.context) + len(self.completion)


@dataclass(frozen=True)
class Head:
    """What a scorer reads off the base's last hidden state: a chance is sigmoid(weight . hidden + bias).

    ``weight`` is (hidden,) and ``bias`` a number, both float32 on the base's device.
    """

    weight: torch.Tensor
    bias: torch.Tensor

    def chances(self, hidden: torch.Tensor) -> torch.Tensor:
        """(..., hidden) -> (...), each 0..1."""
        return torch.sigmoid(hidden.float() @ self.weight + self.bias)


def score_texts(
    model: Any, texts: Sequence[Text], pad_id: int, max_tokens: int
) -> Iterator[tuple[Text, tuple[float, ...]]]:
    """Each text with the log-probs of its completion's tokens, in any order.

    Raises:
        MemoryError: not even one text fits.
    """
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    max_logits = max(1, LOGIT_BYTES // (4 * vocabulary))
    return _in_batches(texts, max_tokens, max_logits, lambda batch: _score(model, batch, pad_id))


def reward_texts(
    model: Any, head: Head, texts: Sequence[Text], pad_id: int, max_tokens: int
) -> Iterator[tuple[Text, tuple[float, ...]]]:
    """Each text with the chances at its ``reads``, in any order. ``model`` has the scorer's adapter on.

    Raises:
        MemoryError: not even one text fits.
    """
    return _in_batches(texts, max_tokens, None, lambda batch: _reward(model, head, batch, pad_id))


def _in_batches(
    texts: Sequence[Text],
    max_tokens: int,
    max_logits: int | None,
    numbers: Callable[[Sequence[Text]], list[tuple[float, ...]]],
) -> Iterator[tuple[Text, tuple[float, ...]]]:
    batches = list(_batches(sorted(texts, key=len), min(max_tokens, 32_768), max_logits))
    while batches:
        batch = batches.pop()
        try:
            found = numbers(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise MemoryError(f"a text of {len(batch[0])} tokens does not fit in memory") from error
            found = None
        if found is None:
            release()
            batches += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
        else:
            yield from zip(batch, found, strict=True)


def _batches(texts: Sequence[Text], max_tokens: int, max_logits: int | None) -> Iterator[list[Text]]:
    batch: list[Text] = []
    tail = 0
    for text in texts:  # sorted: the newest is the longest
        count, new_tail = len(batch) + 1, max(tail, len(text.completion) + 1)
        many_logits = max_logits is not None and count * new_tail > max_logits
        if batch and (count * len(text) > max_tokens or many_logits):
            yield batch
            batch, new_tail = [], len(text.completion) + 1
        batch.append(text)
        tail = new_tail
    if batch:
        yield batch


def _padded(model: Any, batch: Sequence[Text], pad_id: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """(first column of each text, the model's inputs): padded on the left, so all end in the last column."""
    width = max(map(len, batch))
    ids = torch.tensor([[pad_id] * (width - len(t)) + [*t.context, *t.completion] for t in batch])
    starts = torch.tensor([width - len(t) for t in batch], device=model.device)
    columns = torch.arange(width, device=model.device)[None, :] - starts[:, None]
    inputs = {
        "input_ids": ids.to(model.device),
        "attention_mask": (columns >= 0).long(),
        "position_ids": columns.clamp(min=0),
    }
    return starts, inputs


def _reward(model: Any, head: Head, batch: Sequence[Text], pad_id: int) -> list[tuple[float, ...]]:
    starts, inputs = _padded(model, batch, pad_id)
    with torch.inference_mode():
        hidden = model.base_model(**inputs, use_cache=False).last_hidden_state
        rows = torch.tensor([i for i, t in enumerate(batch) for _ in t.reads], device=model.device)
        places = torch.tensor([place for t in batch for place in t.reads], device=model.device)
        found = iter(head.chances(hidden[rows, starts[rows] + places]).tolist())
    return [tuple(next(found) for _ in t.reads) for t in batch]


def _score(model: Any, batch: Sequence[Text], pad_id: int) -> list[tuple[float, ...]]:
    tail = max(len(t.completion) for t in batch)
    if not tail:
        return [() for _ in batch]
    _, inputs = _padded(model, batch, pad_id)
    with torch.inference_mode():
        # All completions end in the last column, and only their logits are computed.
        logits = model(**inputs, use_cache=False, logits_to_keep=tail + 1).logits[:, -tail - 1 : -1]
        logits = logits.float()
        targets = inputs["input_ids"][:, -tail:]
        scores = logits.gather(-1, targets[..., None]).squeeze(-1) - logits.logsumexp(-1)
    return [
        tuple(row[tail - len(t.completion) :]) if t.completion else ()
        for t, row in zip(batch, scores.tolist(), strict=True)
    ]

"""Log-probs of given token ids, many texts in one padded forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from workers.engines.memory import LOGIT_BYTES, is_out_of_memory, release


@dataclass(frozen=True)
class Text:
    """``completion`` after ``context``, both as ids; ``index`` is the caller's."""

    index: int
    context: tuple[int, ...]
    completion: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.context) + len(self.completion)


def score_texts(
    model: Any, texts: Sequence[Text], pad_id: int, max_tokens: int
) -> Iterator[tuple[Text, tuple[float, ...]]]:
    """Each text with the log-probs of its completion's tokens, in any order.

    Raises:
        MemoryError: not even one text fits.
    """
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    max_logits = max(1, LOGIT_BYTES // (4 * vocabulary))
    batches = list(_batches(sorted(texts, key=len), min(max_tokens, 32_768), max_logits))
    while batches:
        batch = batches.pop()
        try:
            scores = _score(model, batch, pad_id)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise MemoryError(f"a text of {len(batch[0])} tokens does not fit in memory") from error
            scores = None
        if scores is None:
            release()
            batches += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
        else:
            yield from zip(batch, scores, strict=True)


def _batches(texts: Sequence[Text], max_tokens: int, max_logits: int) -> Iterator[list[Text]]:
    batch: list[Text] = []
    tail = 0
    for text in texts:  # sorted: the newest is the longest
        count, new_tail = len(batch) + 1, max(tail, len(text.completion) + 1)
        if batch and (count * len(text) > max_tokens or count * new_tail > max_logits):
            yield batch
            batch, new_tail = [], len(text.completion) + 1
        batch.append(text)
        tail = new_tail
    if batch:
        yield batch


def _score(model: Any, batch: Sequence[Text], pad_id: int) -> list[tuple[float, ...]]:
    width, tail = max(map(len, batch)), max(len(t.completion) for t in batch)
    if not tail:
        return [() for _ in batch]
    ids = torch.tensor([[pad_id] * (width - len(t)) + [*t.context, *t.completion] for t in batch])
    ids = ids.to(model.device)
    starts = torch.tensor([width - len(t) for t in batch], device=model.device)
    columns = torch.arange(width, device=model.device)[None, :] - starts[:, None]
    with torch.inference_mode():
        # Padded on the left: all completions end in the last column, and only their logits are computed.
        logits = model(
            input_ids=ids,
            attention_mask=(columns >= 0).long(),
            position_ids=columns.clamp(min=0),
            use_cache=False,
            logits_to_keep=tail + 1,
        ).logits[:, -tail - 1 : -1]
        logits = logits.float()
        targets = ids[:, -tail:]
        scores = logits.gather(-1, targets[..., None]).squeeze(-1) - logits.logsumexp(-1)
    return [
        tuple(row[tail - len(t.completion) :]) if t.completion else ()
        for t, row in zip(batch, scores.tolist(), strict=True)
    ]

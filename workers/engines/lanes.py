"""A key-value cache whose rows can leave and join while the others go on decoding.

All rows share a column counter; each row's tokens end at the current column and begin wherever its
own length puts them (left padding). A new row is therefore written into the columns just before the
current one, and a finished row is simply not copied at the next re-packing. Buffers grow by chunks,
because `DynamicCache` copies the whole cache at every token, which on a CPU costs more than the model.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

CHUNK = 64  # columns added when a buffer is full


class LaneLayer(CacheLayerMixin):
    """Keys and values of one layer: [rows, heads, columns, size], of which ``used`` columns count."""

    is_sliding = False
    is_croppable = False

    def __init__(self) -> None:
        super().__init__()
        self.used = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        rows, heads, _, size = key_states.shape
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys = key_states.new_empty((rows, heads, 0, size))
        self.values = value_states.new_empty((rows, heads, 0, value_states.shape[-1]))
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, end = self.used, self.used + key_states.shape[2]
        if end > self.keys.shape[2]:
            self.keys, self.values = (self._resized(t, end + CHUNK) for t in (self.keys, self.values))
        self.keys[:, :, start:end] = key_states
        self.values[:, :, start:end] = value_states
        self.used = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def _resized(self, old: torch.Tensor, columns: int) -> torch.Tensor:
        # Zeros, not empty: a masked position is multiplied by 0, and 0 times a stray NaN is NaN.
        new = old.new_zeros((old.shape[0], old.shape[1], columns, old.shape[3]))
        new[:, :, : self.used] = old[:, :, : self.used]
        return new

    def repack(self, rows: torch.Tensor, first: int, joining: LaneLayer | None, counts: torch.Tensor) -> None:
        """Keep ``rows`` and columns from ``first`` on; add ``joining``'s prompts, ``counts`` times each."""
        self.keys = self._merged(self.keys, joining.keys if joining else None, rows, first, joining, counts)
        self.values = self._merged(
            self.values, joining.values if joining else None, rows, first, joining, counts
        )
        self.used = max(self.used - first if len(rows) else 0, joining.used if joining else 0)

    def _merged(
        self,
        mine: torch.Tensor,
        theirs: torch.Tensor | None,
        rows: torch.Tensor,
        first: int,
        joining: LaneLayer | None,
        counts: torch.Tensor,
    ) -> torch.Tensor:
        old_width = self.used - first if len(rows) else 0
        new_width = joining.used if joining else 0
        width = max(old_width, new_width)
        added = int(counts.sum()) if joining else 0
        out = mine.new_zeros((len(rows) + added, mine.shape[1], width + CHUNK, mine.shape[3]))
        if len(rows):
            out[: len(rows), :, width - old_width : width] = mine[:, :, first : self.used].index_select(
                0, rows
            )
        if theirs is not None:
            prompts = theirs[:, :, :new_width].repeat_interleave(counts, 0)
            out[len(rows) :, :, width - new_width : width] = prompts
        return out

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.used + query_length, 0

    def get_seq_length(self) -> int:
        return self.used

    def get_max_length(self) -> int:
        return -1


class Lanes(Cache):
    """The cache of a whole model."""

    def __init__(self, layers: int) -> None:
        super().__init__(layers=[LaneLayer() for _ in range(layers)])

    @property
    def width(self) -> int:
        return int(self.layers[0].get_seq_length())

    def repack(self, rows: torch.Tensor, first: int, joining: Lanes | None, counts: torch.Tensor) -> None:
        """See `LaneLayer.repack`; ``rows`` [kept], ``counts`` [prompts of ``joining``], both int64."""
        for index, layer in enumerate(self.layers):
            other = joining.layers[index] if joining else None
            layer.repack(rows, first, other, counts)


def lanes_fit(config: Any) -> bool:
    """Whether every layer of the model is attention over keys and values, so that `Lanes` can hold it."""
    text = config.get_text_config(decoder=True)
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
    return kinds <= {"full_attention", "sliding_attention", "chunked_attention"}

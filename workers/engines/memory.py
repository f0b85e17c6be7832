"""How much fits: room for the key-value cache, and telling "out of memory" from other errors."""

from __future__ import annotations

import gc
import os
from typing import Any

import torch

CPU_BYTES = 1 << 30  # most the cache may take on a CPU, where more rows no longer make it faster
CUDA_SHARE = 0.5  # share of the free device memory given to the cache
LOGIT_BYTES = 1 << 28  # most one step's float32 logits may take: bounds rows for large vocabularies
MAX_ROWS = 512  # measured: larger batches fall out of a CPU's cache and gain nothing


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA has its own exception; the CPU allocator raises a RuntimeError that only its text tells apart."""
    text = str(error).lower()
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
    )


def release() -> None:
    """Give cached blocks back before trying again with less."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def cache_tokens(model: Any) -> int:
    """How many cache cells (one token of one row, all layers) fit on the model's device."""
    config = model.config.get_text_config(decoder=True)
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    cell: int = 2 * config.num_hidden_layers * heads * size * model.dtype.itemsize
    if model.device.type == "cuda":
        room = int(torch.cuda.mem_get_info(model.device)[0] * CUDA_SHARE)
    else:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        room = min(CPU_BYTES, free // 4)
    return max(1024, room // (2 * cell))  # re-packing holds the old and the new cache for a moment


def batch_rows(model: Any) -> int:
    """How many rows one step may have."""
    vocabulary: int = model.config.get_text_config(decoder=True).vocab_size
    return max(1, min(MAX_ROWS, LOGIT_BYTES // (4 * vocabulary)))

"""How much fits: room for the key-value cache, and telling "out of memory" from other errors."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from typing import Any

CPU_BYTES = 1 << 30  # most the cache may take on a CPU, where more rows no longer make it faster
CUDA_SHARE = 0.5  # share of the free device memory given to the cache
LOGIT_BYTES = 1 << 28  # most one step's float32 logits may take: bounds rows for large vocabularies
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
MAX_ROWS = 256  # measured on a CPU: 512 cost the same time per token and nearly twice the memory


def share_the_cpu() -> None:
    """Settings for torch on a CPU that others use too; before torch is imported. The user's own stand.

    OpenMP's waiting threads spin by default: with more runnable threads than cores, two threads then took
    eight times the processor time of one for the same work.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if sys.platform == "linux":
        # glibc gives every tensor above 128 KiB back to the kernel and faults it in again: 15 % of a step.
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
            libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA has its own exception; the CPU allocator raises a RuntimeError that only its text tells apart."""
    import torch

    text = str(error).lower()
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
    )


def release() -> None:
    """Give cached blocks back before trying again with less."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def cache_tokens(model: Any) -> int:
    """How many cache cells (one token of one row, all layers) fit on the model's device."""
    import torch

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

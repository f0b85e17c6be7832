"""Model FLOPs utilisation: how much of the device's arithmetic a run makes use of.

Counted are multiply-adds of weight matrices only (two FLOPs each), as open-instruct's ``calculate_mfu`` does,
but without attention's own products. A LoRA run computes no gradients of the frozen weights, so a token costs

    2 N forward + 2 N backward through activations (+ 2 N where activations are computed again)
    + 2 N for each further forward pass, such as a reference model's,

with N the base's parameters without the input embedding, whose look-up multiplies nothing; the output head
counts, tied or not. The adapter's own few parameters are left out. Tokens are those that are not padding:
what is spent on padding lowers the figure.
"""

from __future__ import annotations

import re
import time
from typing import Any

# Dense bf16 FLOP/s from the makers' data sheets, by a part of the device's name; the first match counts.
PEAKS = (
    ("GB200", 2.5e15),
    ("GH200", 989e12),
    ("B200", 2.25e15),
    ("H200", 989e12),
    ("H100 PCIe", 756e12),
    ("H100 NVL", 835e12),
    ("H100", 989e12),
    ("H800", 989e12),
    ("A100", 312e12),
    ("A800", 312e12),
    ("A10G", 70e12),
    ("A10", 125e12),
    ("A40", 150e12),
    ("RTX 6000 Ada", 364e12),
    ("L40S", 362e12),
    ("L40", 181e12),
    ("L4", 121e12),
    ("RTX 4090", 165e12),
    ("RTX 3090", 71e12),
)


# Passes without a gradient over as many tokens again: a reference model's; for kto also both models' over the
# mismatched responses. None: tokens are written while training, which this formula does not cover.
EXTRA_FORWARDS: dict[str, int | None] = {"dpo": 1, "kto": 3, "grpo": None}


def matrix_parameters(model: Any) -> int:
    """N above, of a model with or without an adapter on it."""
    embedding = model.get_input_embeddings().weight
    head = model.get_output_embeddings()
    # An adapter's parameters carry its kind in their names; a scorer's new head is trained as a whole.
    base: int = sum(p.numel() for name, p in model.named_parameters() if "lora_" not in name)
    tied = head is not None and head.weight is embedding
    return base - (0 if tied else embedding.numel())


def flops_per_token(n: int, *, recomputed: bool, extra_forwards: int = 0) -> int:
    """FLOPs that one token needs, by the formula above."""
    return 2 * n * (2 + int(recomputed) + extra_forwards)


def peak_flops(device: str) -> float | None:
    """The device's dense bf16 peak by its name; None when it is not in the table."""
    return next((peak for name, peak in PEAKS if re.search(rf"\b{name}\b", device, re.IGNORECASE)), None)


def measured_peak(size: int = 512, tries: int = 4) -> float:
    """FLOP/s of this processor's best float32 matrix product just now, where no maker states a peak."""
    import torch

    a, b = torch.ones(size, size), torch.ones(size, size)
    torch.mm(a, b)
    best = float("inf")
    for _ in range(tries):
        began = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best

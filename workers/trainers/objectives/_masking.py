"""Masked thought: the model reads its answer with holes and still learns all of it.

Chen et al., 2024, arXiv:2403.02178: each input token of the response is replaced with probability p, the
labels stay. The paper warms p up in some settings; here it is constant.
"""

from __future__ import annotations

from typing import Any

import torch

from workers.trainers.encode import IGNORED

_SPREAD = -7046029254386353131  # splitmix64's constants, as signed 64-bit numbers
_MIX = (-4658895280553007687, -7723592293110705685)


def hole_id(tokenizer: Any) -> int:
    """The id that stands for a masked token: best one that never occurs in an answer, so that the model can
    tell a hole from a word. The mask token where there is one, else unknown, else padding; else the end
    token, which is only read here, never learned from."""
    for name in ("mask_token_id", "unk_token_id", "pad_token_id", "eos_token_id"):
        found = getattr(tokenizer, name, None)
        if found is not None:
            return int(found)
    raise ValueError("the tokenizer has no mask, unknown, padding or end token to stand for a masked one")


def with_holes(
    ids: torch.Tensor, labels: torch.Tensor, place: torch.Tensor, share: float, key: int, hole: int
) -> torch.Tensor:
    """``ids`` with each trained token replaced by ``hole`` with probability ``share``; all (rows, length).

    Whether a token is masked follows from ``key`` and its ``place`` alone, not from a random state: a resumed
    run, or one in smaller micro-batches, masks the same tokens. What is only context is never masked.
    """
    start = (key * _SPREAD) % 2**64
    mixed = place * 2654435761 + (start - 2**64 if start >= 2**63 else start)
    for multiplier, shift in zip((*_MIX, 1), (30, 27, 31), strict=True):
        mixed = (mixed ^ ((mixed >> shift) & ((1 << (64 - shift)) - 1))) * multiplier
    chance = ((mixed >> 11) & ((1 << 53) - 1)).double() / (1 << 53)
    return ids.masked_fill((labels != IGNORED) & (chance < share), hole)

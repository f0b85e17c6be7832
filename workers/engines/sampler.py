"""Choosing the next token of many rows at once, each by its own seed.

Inverse-CDF sampling: every row needs one uniform number per token. It is a hash of (seed, position),
not the state of a generator, so a row draws the same numbers whatever else is in the batch, in
whatever order rows come and go, and a restarted row repeats itself. One number per row is also far
cheaper than the vocabulary-sized noise of Gumbel-max drawn from one generator per row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

_M1, _M2, _STEP = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB), np.uint64(0x9E3779B97F4A7C15)


def uniforms(seeds: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Uniform numbers in [0, 1), one per row: splitmix64 (Steele et al., 2014) of seed and position.

    Args:
        seeds: shape [rows], uint64. positions: shape [rows], how many tokens the row already has.
    """
    with np.errstate(over="ignore"):
        z: np.ndarray = _mix(_mix(seeds + _STEP) + _STEP * (positions.astype(np.uint64) + np.uint64(1)))
    u: np.ndarray = (z >> np.uint64(32)) / 2.0**32
    return u  # 32 bits: u times the total stays below the total


def _mix(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * _M1
    z = (z ^ (z >> np.uint64(27))) * _M2
    mixed: np.ndarray = z ^ (z >> np.uint64(31))
    return mixed


@dataclass(frozen=True)
class Rules:
    """Decoding settings of each row, as tensors of shape [rows]."""

    temperature: torch.Tensor  # 0 = greedy
    top_p: torch.Tensor
    top_k: torch.Tensor  # 0 = off
    any_sampled: bool
    any_truncated: bool


def choose(logits: torch.Tensor, rules: Rules, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The next token of each row and its log-prob under the plain (T = 1, untruncated) distribution.

    Args:
        logits: [rows, vocabulary]. u: [rows], from `uniforms`.
    """
    logits = logits.float()
    tokens = logits.argmax(-1)
    if rules.any_sampled:
        greedy = rules.temperature == 0
        scaled = logits / torch.where(greedy, 1.0, rules.temperature)[:, None]
        probs = torch.softmax(scaled, -1)
        if rules.any_truncated:
            probs = _truncate(probs, rules)
        cdf = probs.cumsum(-1, dtype=torch.float64)
        point = u.to(cdf)[:, None] * cdf[:, -1:]
        drawn = (cdf > point).to(torch.uint8).argmax(-1)
        tokens = torch.where(greedy, tokens, drawn)
    chosen = logits.gather(-1, tokens[:, None]).squeeze(-1)
    return tokens, chosen - logits.logsumexp(-1)


def _truncate(probs: torch.Tensor, rules: Rules) -> torch.Tensor:
    """Zero what top-k and then top-p cut off (the token that crosses top_p stays)."""
    ordered, order = torch.sort(probs, dim=-1, descending=True, stable=True)
    rank = torch.arange(probs.shape[-1], device=probs.device)
    keep = (rules.top_k[:, None] == 0) | (rank < rules.top_k[:, None])
    ordered = ordered * keep
    before = ordered.cumsum(-1) - ordered
    keep = (rules.top_p[:, None] >= 1) | (before < rules.top_p[:, None] * ordered.sum(-1, keepdim=True))
    return torch.zeros_like(probs).scatter_(-1, order, ordered * keep)

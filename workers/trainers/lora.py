"""A linear layer with its LoRA in one autograd function: PEFT's numbers without its large temporaries.

PEFT computes ``base(x) + B(A(x)) * scaling``: it writes an output-sized product, scales it, adds it, and does
as much again on the way back. Here the small side is scaled and the products are added in place by the matrix
multiplication itself. On a CPU this was a quarter of a training step (tests/bench/bench_train.py).
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import nn


def fuse_lora(model: Any) -> int:
    """Give every plain LoRA layer of ``model`` the fused forward; returns how many. What is not plain when it
    is called (switched off, merged, two adapters, dropout, a variant) takes PEFT's own way."""
    from peft.tuners.lora import Linear

    layers = [m for m in model.modules() if type(m) is Linear and type(m.base_layer) is nn.Linear]
    for layer in layers:
        layer.forward = MethodType(_forward, layer)
    return len(layers)


def _forward(self: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    name = _plain(self)
    if name is None or args or kwargs:
        out: torch.Tensor = type(self).forward(self, x, *args, **kwargs)
        return out
    device = x.device.type
    dtype = (
        torch.get_autocast_dtype(device)
        if torch.is_autocast_enabled(device)
        else self.base_layer.weight.dtype
    )
    down, up = self.lora_A[name].weight, self.lora_B[name].weight
    base = self.base_layer
    with torch.autocast(device, enabled=False):
        y: torch.Tensor = LoraLinear.apply(
            x.to(dtype), base.weight.to(dtype), down.to(dtype), up.to(dtype), self.scaling[name]
        )
        return y if base.bias is None else y + base.bias.to(dtype)


def _plain(layer: Any) -> str | None:
    """The one adapter to add, if that is all there is to it."""
    if layer.disable_adapters or layer.merged or len(layer.active_adapters) != 1:
        return None
    (name,) = layer.active_adapters
    if name not in layer.lora_A or name in layer.lora_variant or layer.lora_bias[name]:
        return None
    dropout = layer.lora_dropout[name]
    return str(name) if isinstance(dropout, nn.Identity) else None


class LoraLinear(torch.autograd.Function):
    """y = x Wᵀ + s (x Aᵀ) Bᵀ with W frozen. x (..., in), W (out, in), A (rank, in), B (out, rank)."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, w: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scaling: float
    ) -> torch.Tensor:
        flat = x.reshape(-1, x.shape[-1])
        low = flat @ a.t()
        y = flat @ w.t()
        y.addmm_(low, b.t(), alpha=scaling)
        ctx.save_for_backward(flat, w, a, b, low)
        ctx.scaling = scaling
        return y.view(*x.shape[:-1], w.shape[0])

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        flat, w, a, b, low = ctx.saved_tensors
        g = gradient.reshape(-1, gradient.shape[-1])
        small = (g @ b).mul_(ctx.scaling)
        to_x = to_a = to_b = None
        if ctx.needs_input_grad[0]:
            to_x = (g @ w).addmm_(small, a).view(*gradient.shape[:-1], w.shape[1])
        if ctx.needs_input_grad[2]:
            to_a = small.t() @ flat
        if ctx.needs_input_grad[3]:
            to_b = (g.t() @ low).mul_(ctx.scaling)
        return to_x, None, to_a, to_b, None

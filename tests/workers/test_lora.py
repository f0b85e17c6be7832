"""The fused LoRA layer gives PEFT's numbers, forward and back, and leaves to PEFT what is not plain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("torch")


def adapted(base: Path, **options: Any) -> Any:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=12, target_modules="all-linear", task_type="CAUSAL_LM", **options)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn_like(parameter) * 0.2
    return model


def gradients(model: Any) -> tuple[float, dict[str, Any]]:
    import torch

    ids = torch.arange(40).view(2, 20) % 50
    loss = model(input_ids=ids, labels=ids).loss
    model.zero_grad()
    loss.backward()
    return loss.item(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def test_forward_and_gradients_are_pefts(base: Path) -> None:
    import torch

    from workers.trainers.lora import fuse_lora

    model = adapted(base)
    loss, expected = gradients(model)
    assert fuse_lora(model) == 14  # seven in each of two layers
    fused_loss, found = gradients(model)
    assert fused_loss == pytest.approx(loss, rel=1e-5)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, rtol=1e-3, atol=1e-5), name


def test_one_layer_by_hand() -> None:
    import torch

    from workers.trainers.lora import LoraLinear

    x, w = torch.tensor([[1.0, 2.0]], requires_grad=True), torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    a, b = torch.tensor([[1.0, 1.0]], requires_grad=True), torch.tensor([[2.0], [0.0]], requires_grad=True)
    y = LoraLinear.apply(x, w, a, b, 0.5)
    assert y.tolist() == [[6.0, 2.0]]  # 3 + 0.5 * 3 * 2, 2
    y.sum().backward()
    assert x.grad.tolist() == [[4.0, 2.0]]  # W's columns summed, and 0.5 * 2 * A
    assert a.grad.tolist() == [[1.0, 2.0]]  # 0.5 * 2 * x
    assert b.grad.tolist() == [[1.5], [1.5]]  # 0.5 * (x A')


def test_switched_off_merged_and_dropped_out_layers_go_pefts_way(llama: Path) -> None:
    import torch

    from workers.trainers.lora import fuse_lora

    ids = torch.arange(20)[None]
    for options in ({}, {"lora_dropout": 0.5}, {"use_dora": True}):
        model = adapted(llama, **options).eval()
        with torch.no_grad(), model.disable_adapter():
            off = model(ids).logits
        on = model(ids).logits
        fuse_lora(model)
        with torch.no_grad(), model.disable_adapter():
            assert torch.equal(model(ids).logits, off)
        assert torch.allclose(model(ids).logits, on, atol=1e-4)
    plain = adapted(llama).eval()
    expected = plain(ids).logits
    fuse_lora(plain)
    plain.merge_adapter()
    assert torch.allclose(plain(ids).logits, expected, atol=1e-3)


def test_under_autocast_it_computes_in_the_lower_precision(llama: Path) -> None:
    import torch

    from workers.trainers.lora import fuse_lora

    model = adapted(llama)
    fuse_lora(model)
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(torch.randn(2, 3, 32))
    assert out.dtype is torch.bfloat16
    out.float().sum().backward()
    assert layer.lora_A["default"].weight.grad.dtype is torch.float32

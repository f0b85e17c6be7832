"""MFU by hand: what counts, and the devices that are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.workers.training import make_run, sft_rows
from workers.trainers.flops import flops_per_token, matrix_parameters, measured_peak, peak_flops
from workers.trainers.run import DONE, main

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]


def test_a_lora_token_costs_four_n_and_two_more_for_each_further_pass() -> None:
    assert flops_per_token(100, recomputed=False) == 400
    assert flops_per_token(100, recomputed=True) == 600
    assert flops_per_token(100, recomputed=False, extra_forwards=1) == 600  # dpo's reference


def test_the_parameters_that_multiply_by_hand(llama: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(llama)
    vocabulary = model.config.vocab_size
    # hidden 32, 4 heads of 8, 2 of them for keys and values, 64 in the middle, norms of 32
    layer = 32 * 32 + 2 * 32 * 16 + 32 * 32 + 3 * 32 * 64 + 2 * 32
    by_hand = 2 * layer + 32 + vocabulary * 32  # the tied head counts once
    assert matrix_parameters(model) == by_hand
    adapted = get_peft_model(model, LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM"))
    assert matrix_parameters(adapted) == by_hand


def test_an_untied_head_counts_and_the_look_up_does_not(llama: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(llama)
    tied = matrix_parameters(AutoModelForCausalLM.from_config(config))
    config.tie_word_embeddings = False
    assert matrix_parameters(AutoModelForCausalLM.from_config(config)) == tied


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H200", 989e12),
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA A10G", 70e12),
        ("NVIDIA GH200 480GB", 989e12),
        ("NVIDIA RTX A4000", None),  # not an A40
        ("Something New 9000", None),
    ],
)
def test_peaks_go_by_the_devices_name(name: str, peak: float | None) -> None:
    assert peak_flops(name) == peak


def test_a_processors_peak_is_measured_and_said_to_be(llama: Path, tmp_path: Path) -> None:
    assert measured_peak(64, 1) > 1e6
    run = make_run(tmp_path / "run", llama, sft_rows())
    assert main([str(run)]) == DONE
    manifest = json.loads((run / "adapter" / "manifest.json").read_text())
    assert manifest["peak_from"] == "measured matrix product"
    assert 0 < manifest["mfu"] < 1
    assert manifest["tokens"] > manifest["rows"] * 3
    assert 0 <= manifest["padding_share"] < 0.5
    assert manifest["ends_trained"] == manifest["rows"] == 12
    last = json.loads((run / "progress.jsonl").read_text().splitlines()[-1])
    assert {"tokens_per_s", "mfu", "padding_share", "learning_rate", "time_left_s", "extra"} <= set(last)
    assert last["extra"]["grad_norm"] > 0

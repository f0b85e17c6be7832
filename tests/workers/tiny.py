"""Tiny random models with a real tokenizer and chat template, made offline in a second."""

from __future__ import annotations

import json
from pathlib import Path

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<pad>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CORPUS = [
    "What is 3 + 4? 3 + 4 = 7. The answer is 7.",
    "user assistant system",
    "Ann has 12 apples, Bob 30.",
] * 4


def make_model(folder: Path, kind: str, *, template: str = TEMPLATE, byte_level: bool = True) -> Path:
    """Write a random model of about 20 k parameters of ``kind`` "llama" or "qwen3" into ``folder``."""
    import torch
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
        Qwen3Config,
        Qwen3ForCausalLM,
    )

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_byte_level() if byte_level else _metaspace(),
        pad_token="<pad>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|endoftext|>", "<|im_start|>"],
    )
    tokenizer.chat_template = template
    size = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.3,  # large, so that random logits differ enough to be worth sampling
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "tie_word_embeddings": True,
    }
    torch.manual_seed(1)
    model = (
        LlamaForCausalLM(LlamaConfig(**size))
        if kind == "llama"
        else Qwen3ForCausalLM(Qwen3Config(**size, head_dim=8))
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _byte_level():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def _metaspace():
    """SentencePiece's way: a space before the first word, unknown characters as bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    byte_tokens = [f"<0x{i:02X}>" for i in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=[*SPECIAL, "<unk>", *byte_tokens], show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    # The trainer can only add them as special tokens, which decoding skips; in the wild they are plain.
    written = json.loads(tokenizer.to_str())
    written["added_tokens"] = [t for t in written["added_tokens"] if t["content"] not in byte_tokens]
    return Tokenizer.from_str(json.dumps(written))


def make_adapter(base: Path, folder: Path, seed: int = 0, rank: int = 4) -> Path:
    """A random (so: effective) LoRA adapter with its manifest, as a trainer would leave it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from loop.finetune.artifacts import write_manifest
    from workers.engines.hashes import base_sha

    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base),
        LoraConfig(r=rank, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3
    model.save_pretrained(folder)
    write_manifest(folder, {"base_sha": base_sha(str(base))})
    return folder

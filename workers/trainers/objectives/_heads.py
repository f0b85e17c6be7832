"""The base with a head in place of its words: one number, read off the last hidden state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from workers.engines.tokens import generation_settings

# PEFT's name for a model with a head: it leaves the head out of "all-linear". A token classifier's it would
# not, so both kinds of scorer go by this one.
TASK = "SEQ_CLS"
HEAD = "score"


def load_sequence(folder: Path, dtype: Any) -> Any:
    """The base with a head that reads the last token."""
    return _zeroed(AutoModelForSequenceClassification, folder, dtype)


def load_tokens(folder: Path, dtype: Any) -> Any:
    """The base with a head that reads every token."""
    return _zeroed(AutoModelForTokenClassification, folder, dtype)


def _zeroed(kind: Any, folder: Path, dtype: Any) -> Any:
    config = AutoConfig.from_pretrained(folder, num_labels=1)
    config.classifier_dropout = 0.0  # the class's own is 0.1: a reward must not depend on chance
    model = kind.from_pretrained(folder, config=config, dtype=dtype, use_safetensors=True)
    model.generation_config = generation_settings(folder, model.config)  # it names end tokens, here as there
    # Nothing is known yet, so everything scores alike; and the same run always starts the same.
    for parameter in model.score.parameters():
        torch.nn.init.zeros_(parameter)
    return model


def start(model: Any, adapter: Path) -> Any:
    """``model`` with a trained adapter on, to be trained on; after a policy's the head begins at zero."""
    config = PeftConfig.from_pretrained(str(adapter))
    config = replace(config, task_type=TASK, modules_to_save=[HEAD], inference_mode=False)
    fresh = get_peft_model(model, config)
    known = load_file(adapter / "adapter_model.safetensors")
    set_peft_model_state_dict(fresh, get_peft_model_state_dict(fresh) | known)
    return fresh


def save_head(options: dict[str, Any]) -> dict[str, Any]:
    """A trainer's options, the head trained whole and saved with the adapter."""
    if "peft_config" in options:
        options["peft_config"].modules_to_save = [HEAD]
    return options

"""The training objectives, one module each, as thin layers on TRL's trainers: the folder is the registry.

A module has ``encode(rows, tokens, settings)``, which gives `workers.trainers.encode.Encoded`, and
``build(parts)``, which gives a transformers Trainer that mixes in `AtomicCheckpoints` and `Counting`.
``load(folder, dtype)`` may replace how the base is read, ``start(model, adapter)`` how an earlier adapter is
put on it, and ``TASK`` PEFT's task type. What rows an objective learns from is in `loop.finetune.objectives`.

Rows come tokenised and weighted: TRL would tokenise again and append an end token to inner steps. Where an
objective coincides with TRL's own, a test holds the losses equal (private hooks change between TRL's minors).
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from peft import PeftModel
from transformers import AutoModelForCausalLM

from loop.recipe_parts import FinetunePart


@dataclass(frozen=True)
class Parts:
    """What a trainer is made of. ``model`` carries its adapter already when the run starts from one; else
    ``options`` holds the ``peft_config`` of a fresh one.

    ``common``: arguments that every trainer's config takes. ``options``: the trainer's own keyword arguments.
    """

    model: Any
    settings: FinetunePart
    tokens: Any  # workers.engines.tokens.ChatTokens
    rows: Sequence[dict[str, Any]]  # encoded
    common: dict[str, Any]
    options: dict[str, Any]
    seed: int
    cuda: bool


def objective_named(name: str) -> ModuleType:
    """The objective's module.

    Raises:
        ValueError: there is none of that name.
    """
    if not (Path(__file__).parent / f"{name}.py").is_file() or name.startswith("_"):
        raise ValueError(f"there is no trainer for the objective {name!r}")
    return importlib.import_module(f"workers.trainers.objectives.{name}")


def start_from(model: Any, adapter: Path) -> Any:
    """``model`` with a trained adapter on, to be trained further."""
    return PeftModel.from_pretrained(model, str(adapter), is_trainable=True)


def load_causal(folder: Path, dtype: Any) -> Any:
    """The base as a model that writes."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, use_safetensors=True)

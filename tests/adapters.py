"""Adapter folders as they come from elsewhere, written without torch."""

import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

LORA = {
    "base_model.model.model.layers.0.q.lora_A.weight": (2, 4),
    "base_model.model.model.layers.0.q.lora_B.weight": (4, 2),
}


def weights(shapes: dict[str, tuple[int, ...]], fill: float = 1.0) -> bytes:
    """A safetensors file of float32 numbers."""
    header, at = {}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at := at + 4 * prod(shape)]}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + np.full(at // 4, fill, "<f4").tobytes()


def adapter_make(folder: Path, *, base: str | None = "seed", fill: float = 1.0, **config: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base, "r": 2}
    (folder / "adapter_config.json").write_text(json.dumps(settings | config))
    (folder / "adapter_model.safetensors").write_bytes(weights(LORA, fill))
    return folder

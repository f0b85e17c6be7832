"""``python -m workers.merge BASE ADAPTER TARGET DTYPE``: base and adapter as one folder, safetensors only.

Merged in float32 whatever the target's precision. Tokenizer and chat template are the base's own files, byte
for byte. On failure the last line of standard error says why.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from workers.engines.hashes import TOKENIZER, model_folder

BESIDE = (*TOKENIZER, "special_tokens_map.json", "added_tokens.json", "chat_template.jinja")
SHARD = "4GB"


def merge(base: str, adapter: Path, target: Path, dtype: str) -> None:
    """Write the merged model into ``target``, which must not exist.

    Raises:
        ArtifactError: the adapter is damaged or was trained on another base.
        ValueError: an unknown precision.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from workers.engines.adapters import AdapterTable

    if dtype not in ("float32", "bfloat16"):
        raise ValueError(f"merged models are float32 or bfloat16, not {dtype}")
    folder = model_folder(base)
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    table = AdapterTable(plain, base)  # every weight of the adapter has its place in the base, or it refuses
    table.load("merged", adapter)
    table.merged("merged").to(getattr(torch, dtype)).save_pretrained(target, max_shard_size=SHARD)
    for name in BESIDE:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.merge", description=__doc__)
    parser.add_argument("base")
    parser.add_argument("adapter", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("dtype")
    parser.add_argument("--die-with", type=int, metavar="PID", help="stop when this parent process ends")
    options = parser.parse_args(argv)
    if options.die_with:
        from workers.trainers.run import die_with

        die_with(options.die_with)
    try:
        merge(options.base, options.adapter, options.target, options.dtype)
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        print(" ".join(str(error).split()) or type(error).__name__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

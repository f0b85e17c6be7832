"""Fingerprints of a base model, its tokenizer and its chat template.

An adapter that meets another base of the same shape loads silently and answers nonsense, so every
adapter carries the fingerprints it was trained with and the engine compares them.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "tokenizer_config.json")


def model_folder(base: str) -> Path:
    """The local folder of ``base``: a folder as it is, a hub id through the hub's cache (fetched if absent).

    Raises:
        FileNotFoundError: neither a folder nor a model the hub (or its cache) can give.
    """
    folder = Path(base).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise FileNotFoundError(f"{folder} is not a model folder: it has no config.json")
        return folder.resolve()
    if base.startswith((".", "/", "~")) or base.count("/") > 1:
        raise FileNotFoundError(f"there is no folder {base}")
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        return Path(snapshot_download(base, allow_patterns=patterns))
    except Exception as error:  # the hub client raises many kinds; to the caller they are one
        raise FileNotFoundError(
            f"{base!r} is neither a folder nor a model that could be fetched: {error}"
        ) from error


def base_sha(base: str) -> str:
    """sha256 over the base model's weight files, names included.

    Raises:
        FileNotFoundError: no weight files.
    """
    return _combined(weight_files(model_folder(base)))


def weight_files(folder: Path) -> list[Path]:
    """The weights in a model folder: safetensors only, for a pickle is code that loading would run.

    Raises:
        FileNotFoundError: there are none.
    """
    if files := sorted(folder.glob("*.safetensors")):
        return files
    raise FileNotFoundError(
        f"{folder} has no .safetensors file; other weight formats can carry code and are refused:"
        " convert the model to safetensors first"
    )


def tokenizer_sha(base: str) -> str:
    """sha256 over the tokenizer's files; the chat template, which may live among them, is left out."""
    folder, total = model_folder(base), hashlib.sha256()
    for path in (folder / name for name in TOKENIZER if (folder / name).is_file()):
        if path.name == "tokenizer_config.json":
            config = json.loads(path.read_text(encoding="utf-8"))
            config.pop("chat_template", None)
            digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
        else:
            digest = file_sha(path)
        total.update(f"{path.name} {digest}\n".encode())
    return total.hexdigest()


def template_sha(base: str) -> str:
    """sha256 of the chat template's text; of the plain fallback's when the model has none."""
    from workers.engines.tokens import PLAIN_TEMPLATE

    folder = model_folder(base)
    if (folder / "chat_template.jinja").is_file():
        text = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    else:
        config = folder / "tokenizer_config.json"
        found = (
            json.loads(config.read_text(encoding="utf-8")).get("chat_template") if config.is_file() else None
        )
        text = (found if isinstance(found, str) else json.dumps(found)) if found else PLAIN_TEMPLATE
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha(path: Path) -> str:
    """sha256 of a file, remembered while its size and time stay the same."""
    stat = path.stat()
    return _file_sha(str(path.resolve()), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _file_sha(path: str, size: int, mtime_ns: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _combined(files: list[Path]) -> str:
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.name} {file_sha(path)}\n".encode())
    return total.hexdigest()

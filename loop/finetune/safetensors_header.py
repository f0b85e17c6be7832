"""Reading what a safetensors file says it holds, without torch and without its weights.

The format (huggingface.co/docs/safetensors): eight bytes, little-endian, with the header's length; the header
as JSON, name -> dtype, shape and byte range; then the bytes.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

LONGEST = 100_000_000  # the format's own limit for a header
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64,
}  # fmt: skip


class HeaderError(ValueError):
    """Not a whole safetensors file; the message says why."""


def tensors(path: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor in the file.

    Raises:
        HeaderError: damaged, cut off, or something else.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(LONGEST, size - 8):
            raise HeaderError(f"{path.name} is not a safetensors file, or was cut off")
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise HeaderError(f"{path.name} is not a safetensors file: its header is no JSON") from error
    if not isinstance(header, dict):
        raise HeaderError(f"{path.name} is not a safetensors file: its header is no table")
    header.pop("__metadata__", None)
    return {name: _shape(path.name, name, entry, size - 8 - length) for name, entry in header.items()}


def _shape(file: str, name: str, entry: Any, room: int) -> tuple[int, ...]:
    try:
        shape, (begin, end) = tuple(entry["shape"]), entry["data_offsets"]
        sound = (
            all(isinstance(n, int) and n >= 0 for n in (*shape, begin, end))
            and begin <= end <= room
            and (end - begin) * 8 == prod(shape) * BITS[entry["dtype"]]
        )
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise HeaderError(f"{file} is damaged: what it says of {name!r} does not fit the file")
    return shape

"""When two training rows are the same text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from loop.curate.material import normalised
from loop.records import RowKind

_BESIDE = ("ends", "label", "masked", "steps", "target", "reference", "verifier")  # what is learned from it


def text_sha(row: Mapping[str, Any], response_id: object = None) -> str:
    """32 hex digits, equal for rows (as stored: a TrainRow's fields) that differ in white space or weight at
    most.

    Outcome rows are draws: two samples alike are two, so the response counts among what makes them equal.
    """
    said = [
        row["kind"],
        [[m["role"], normalised(m["content"])] for m in row["messages"]],
        *(normalised(row.get(name) or "") for name in ("prefix", "chosen", "rejected")),
        {name: row[name] for name in _BESIDE if row.get(name) not in (None, (), [], "")},
        str(response_id) if row["kind"] == RowKind.OUTCOME else "",
    ]
    return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()

"""Rows that hold a prompt alone, for objectives whose model writes its samples as it trains."""

from __future__ import annotations

import json
from collections.abc import Iterable

from loop.curate.material import Candidate, Material
from loop.dialects import Dialect
from loop.phrases import phrase
from loop.records import RowKind, TrainRow

NO_CHECKER = phrase("the prompt names no checker: nothing could tell the samples apart")


def prompt_rows(materials: Iterable[Material], *, dialect: Dialect, **_: object) -> list[Candidate]:
    """One row per prompt with what its checker needs."""
    found = []
    for material in materials:
        prompt = material.prompt
        row = TrainRow(
            RowKind.PROMPT,
            prompt.id,
            dialect.solve(prompt),
            chosen="",
            reference=prompt.reference,
            verifier=prompt.verifier,
            meta=json.dumps(dict(prompt.meta), sort_keys=True) if prompt.meta else "",
            dialect=dialect.name,
        )
        reason = "" if prompt.verifier else NO_CHECKER
        found.append(Candidate(RowKind.PROMPT, prompt.id, row, None, (), "verifier", reason))
    return found

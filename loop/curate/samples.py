"""Accepted samples: prompt -> response."""

from __future__ import annotations

from collections.abc import Iterable

from loop.curate.material import Accept, Candidate, Material, capped, judged, normalised
from loop.dialects import Dialect
from loop.phrases import phrase
from loop.records import Origin, RowKind, TrainRow

CUT = phrase("cut off at the length limit")
REPEAT = phrase("same text as another response")
_ORIGINS = (Origin.SAMPLE, Origin.REFINEMENT)  # continuations and corrections become trajectories


def accepted_samples(
    materials: Iterable[Material], *, dialect: Dialect, accept: Accept = "verifier", max_per_prompt: int = 10
) -> list[Candidate]:
    """One candidate per response the model wrote from the start. People overrule ``accept``.

    Repeats (by text) are dropped, then what exceeds the cap; both keep the order of sampling.
    """
    candidates: list[Candidate] = []
    for material in materials:
        seen: set[str] = set()
        mine: list[Candidate] = []
        for response in material.responses:
            if response.origin not in _ORIGINS:
                continue
            found = judged(material, response, accept)
            reason = found.reason or (CUT if response.finish == "length" else "")
            text = normalised(response.text)
            if not reason and text in seen:
                reason = REPEAT
            if not reason:
                seen.add(text)
            row = TrainRow(
                RowKind.SAMPLE,
                material.prompt.id,
                dialect.solve(material.prompt),
                chosen=response.text.strip(),
            )
            mine.append(
                Candidate(
                    RowKind.SAMPLE, material.prompt.id, row, response.id, found.sources, found.by, reason
                )
            )
        candidates += capped(mine, max_per_prompt, phrase("accepted samples"))
    return candidates

"""Partly right responses: the steps that people found good are learned, the wrong ones only read."""

from __future__ import annotations

from collections.abc import Iterable

from loop.curate.material import Candidate, Material, capped, normalised
from loop.curate.samples import REPEAT
from loop.dialects import Dialect
from loop.phrases import phrase
from loop.records import Critique, Mark, Response, RowKind, TrainRow

NOTHING_GOOD = phrase("no step before the first error was found good")


def partial_rows(
    materials: Iterable[Material], *, dialect: Dialect, max_per_prompt: int = 10
) -> list[Candidate]:
    """One candidate per response in which people marked the first error: the text up to the end of the wrong
    step, which is masked, as is every step before it that nobody found good. It never ends its turn."""
    candidates: list[Candidate] = []
    for material in materials:
        seen: set[str] = set()
        mine: list[Candidate] = []
        for response in material.responses:
            people = material.people_on(response)
            critique = people.critique
            if critique is None or critique.first_error is None:
                continue
            row = _row(material, response, critique, dialect)
            reason = NOTHING_GOOD if row is None else ""
            if row is not None:
                text = normalised(row.chosen)
                reason = REPEAT if text in seen else ""
                seen.add(text)
            mine.append(
                Candidate(
                    RowKind.PARTIAL, material.prompt.id, row, response.id, people.sources, "people", reason
                )
            )
        candidates += capped(mine, max_per_prompt, phrase("partly right responses"))
    return candidates


def _row(material: Material, response: Response, critique: Critique, dialect: Dialect) -> TrainRow | None:
    error = critique.first_error
    assert error is not None
    steps = response.steps[: error + 1]
    good = [critique.marks[step.index] is Mark.GOOD for step in steps]
    if not any(good):
        return None
    return TrainRow(
        RowKind.PARTIAL,
        material.prompt.id,
        dialect.solve(material.prompt),
        chosen=response.text[: steps[-1].end],
        ends=False,
        masked=tuple((s.start, s.end) for s, is_good in zip(steps, good, strict=True) if not is_good),
    )

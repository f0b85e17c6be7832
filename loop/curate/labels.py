"""Labels per step, for a process reward model (Lightman et al., 2023, arXiv:2305.20050).

Only people's marks make labels: that an answer is right says nothing of any one step. Nothing after the first
error is labelled, and no step that nobody judged: a missing mark is not a neutral one.
"""

from __future__ import annotations

from collections.abc import Iterable

from loop.curate.material import DISAGREES, Candidate, Material, capped, checker_disagrees
from loop.dialects import Dialect
from loop.phrases import phrase
from loop.records import Critique, Mark, Response, RowKind, TrainRow
from loop.score import as_read

CHANCE = {Mark.GOOD: 1.0, Mark.NEUTRAL: 1.0, Mark.WRONG: 0.0}  # neutral is no error, as with PRM800K
NOTHING_JUDGED = phrase("no step of it was judged")


def step_labels(
    materials: Iterable[Material], *, dialect: Dialect, max_per_prompt: int = 10
) -> list[Candidate]:
    """Prompt -> a response with (end of a judged step in ``chosen``, chance that the step is good).

    The whole response stands in ``chosen``, for a scorer meets whole responses; what follows the last
    label changes nothing before it. Dropped where the checker contradicts the person's verdict.
    """
    candidates: list[Candidate] = []
    for material in materials:
        mine: list[Candidate] = []
        for response in material.responses:
            people = material.people_on(response)
            if not people.sources:
                continue
            row, reason = None, people.reason
            if people.critique is not None:
                row, reason = _labelled(material, response, people.critique, dialect)
            mine.append(
                Candidate(
                    RowKind.STEP_LABELS,
                    material.prompt.id,
                    row,
                    response.id,
                    people.sources,
                    "people",
                    reason,
                )
            )
        candidates += capped(mine, max_per_prompt, "responses with labelled steps")
    return candidates


def _labelled(
    material: Material, response: Response, critique: Critique, dialect: Dialect
) -> tuple[TrainRow | None, str]:
    text, ends = as_read(response)
    error = critique.first_error
    labels = []
    for index, (end, said) in enumerate(zip(ends, critique.marks, strict=True)):
        mark = Mark.WRONG if index == error else said
        if mark is not None:
            labels.append((end, CHANCE[mark]))
        if mark is Mark.WRONG:
            break
    if not labels:
        return None, NOTHING_JUDGED
    row = TrainRow(
        RowKind.STEP_LABELS,
        material.prompt.id,
        dialect.solve(material.prompt),
        chosen=text,
        ends=response.finish == "stop",
        steps=tuple(labels),
    )
    return row, DISAGREES if checker_disagrees(material, response, critique) else ""

"""The meta-skill rows of SELF: learning to criticise, and to refine in the light of a critique.

Both rest on people's critiques. A tuple is kept only if the person's verdict agrees with the checker's
where one exists (arXiv:2310.00533, D_meta).
"""

from __future__ import annotations

from collections.abc import Iterable

from loop.curate.material import (
    DISAGREES,
    Accept,
    Candidate,
    Material,
    capped,
    checker_disagrees,
    judged,
)
from loop.curate.samples import CUT
from loop.curate.trajectories import better_versions, version_reason
from loop.dialects import Dialect
from loop.phrases import phrase
from loop.records import Critique, Origin, Response, RowKind, TrainRow

UNSURE = phrase("a step that had to be judged was left unsure")
NO_BETTER = phrase("no accepted better version of the criticised response")


def critique_rows(
    materials: Iterable[Material], *, dialect: Dialect, max_per_prompt: int = 10
) -> list[Candidate]:
    """Prompt and response -> what people say of it, in the dialect's words."""
    candidates: list[Candidate] = []
    for material in materials:
        mine: list[Candidate] = []
        for response in material.responses:
            people = material.people_on(response)
            if not people.sources:
                continue
            reason, row = people.reason, None
            if people.critique is not None:
                row, reason = _critique_row(material, response, people.critique, dialect)
            mine.append(
                Candidate(
                    RowKind.CRITIQUE, material.prompt.id, row, response.id, people.sources, "people", reason
                )
            )
        candidates += capped(mine, max_per_prompt, phrase("critiques"))
    return candidates


def _critique_row(
    material: Material, response: Response, critique: Critique, dialect: Dialect
) -> tuple[TrainRow | None, str]:
    try:
        text = dialect.write_critique(critique, response)
    except ValueError as error:
        return None, f"cannot be written as a critique: {error}"
    row = TrainRow(
        RowKind.CRITIQUE, material.prompt.id, dialect.critique(material.prompt, response), chosen=text
    )
    if checker_disagrees(material, response, critique):
        return row, DISAGREES
    judged_up_to = len(critique.marks) if critique.first_error is None else critique.first_error
    # The critic must not learn that a step nobody was sure of is good.
    return row, UNSURE if None in critique.marks[:judged_up_to] else ""


def refinement_rows(
    materials: Iterable[Material], *, dialect: Dialect, accept: Accept = "verifier", max_per_prompt: int = 10
) -> list[Candidate]:
    """Prompt, response and people's critique -> a better response that is accepted.

    Better responses: accepted continuations from the good prefix, people's corrections, and the model's
    own refinements that the checker or people call right.
    """
    candidates: list[Candidate] = []
    for material in materials:
        mine: list[Candidate] = []
        for response in material.responses:
            people = material.people_on(response)
            critique = people.critique
            if critique is None or critique.first_error is None:
                continue
            reason, best, by = _best_version(material, response, critique, accept)
            row = None
            if best is not None:
                messages = dialect.refine(material.prompt, response, [critique])
                row = TrainRow(RowKind.REFINEMENT, material.prompt.id, messages, chosen=best.text.strip())
            mine.append(
                Candidate(
                    RowKind.REFINEMENT,
                    material.prompt.id,
                    row,
                    best.id if best else response.id,
                    people.sources,
                    by,
                    reason,
                )
            )
        candidates += capped(mine, max_per_prompt, phrase("refinements"))
    return candidates


def _best_version(
    material: Material, response: Response, critique: Critique, accept: Accept
) -> tuple[str, Response | None, str]:
    if checker_disagrees(material, response, critique):
        return DISAGREES, None, "people"
    versions = better_versions(material, response, critique)
    chosen = {b.response_id for b in critique.branches if b.good}
    # People's own words first, then what they liked.
    for version in sorted(versions, key=lambda v: (v.origin is not Origin.CORRECTION, v.id not in chosen)):
        reason, by = version_reason(material, version, critique, accept)
        if not reason:
            return "", version, by
    for child in material.responses:
        if child.parent_id == response.id and child.origin is Origin.REFINEMENT:
            found = judged(material, child, accept)
            if found.right:
                return (CUT, None, found.by) if child.finish == "length" else ("", child, found.by)
    return NO_BETTER, None, "people"

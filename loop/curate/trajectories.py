"""Corrected trajectories: prompt -> good prefix, corrected step, and how it goes on from there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from loop.annotate.aggregate import AgreedCritique
from loop.curate.material import (
    Accept,
    Candidate,
    Material,
    capped,
    corrected_step,
    good_prefix,
    judged,
    normalised,
)
from loop.curate.samples import CUT, REPEAT
from loop.dialects import Dialect
from loop.records import Critique, Message, Origin, Response, RowKind, TrainRow

NO_CORRECTION = "first error marked, but neither a corrected step nor an accepted continuation"


def corrected_trajectories(
    materials: Iterable[Material], *, dialect: Dialect, accept: Accept = "verifier", max_per_prompt: int = 10
) -> list[Candidate]:
    """One candidate per better ending of a response in which people marked the first error.

    Whole ones: continuations from the good prefix that are accepted, and corrections people wrote.
    Where there is none but a corrected step, that step alone is trained on the good prefix.
    """
    candidates: list[Candidate] = []
    for material in materials:
        mine: list[Candidate] = []
        for response in material.responses:
            people = material.people_on(response)
            if people.critique is None or people.critique.first_error is None:
                continue
            mine += _from_error(material, response, people.critique, people, dialect, accept)
        candidates += capped(_without_repeats(mine), max_per_prompt, "corrected trajectories")
    return candidates


def better_versions(material: Material, response: Response, critique: Critique) -> list[Response]:
    """Continuations that keep the good prefix of a judged response, and corrections of it by people."""
    prefix = good_prefix(response, critique)
    children = [r for r in material.responses if r.parent_id == response.id]
    return [
        r
        for r in children
        if r.origin is Origin.CORRECTION or (r.origin is Origin.CONTINUATION and r.text.startswith(prefix))
    ]


def version_reason(material: Material, version: Response, accept: Accept) -> tuple[str, str]:
    """(reason against a better version, who accepted it). A person's own rewrite needs no checker."""
    if version.origin is Origin.CORRECTION and not material.people_on(version).sources:
        return "", "people"
    # The model's verdict is not asked of continuations; a checker's is, where there is one.
    found = judged(material, version, "verifier" if accept == "self_verdict" else accept)
    return found.reason or (CUT if version.finish == "length" else ""), found.by


def _from_error(
    material: Material,
    response: Response,
    critique: Critique,
    people: AgreedCritique,
    dialect: Dialect,
    accept: Accept,
) -> list[Candidate]:
    messages = dialect.solve(material.prompt)
    found: list[Candidate] = []
    for version in better_versions(material, response, critique):
        reason, by = version_reason(material, version, accept)
        row = TrainRow(RowKind.TRAJECTORY, material.prompt.id, messages, chosen=version.text.strip())
        found.append(Candidate(row.kind, row.prompt_id, row, version.id, people.sources, by, reason))
    if any(c.kept for c in found):
        return found
    return [*found, _step_alone(material, response, critique, people, dialect, messages)]


def _step_alone(
    material: Material,
    response: Response,
    critique: Critique,
    people: AgreedCritique,
    dialect: Dialect,
    messages: tuple[Message, ...],
) -> Candidate:
    kind, prompt_id = RowKind.TRAJECTORY, material.prompt.id
    step = corrected_step(response, critique)
    if step is None:
        return Candidate(kind, prompt_id, None, response.id, people.sources, "people", NO_CORRECTION)
    last = critique.first_error == len(response.steps) - 1
    row = TrainRow(
        kind,
        prompt_id,
        messages,
        chosen=step,
        prefix=good_prefix(response, critique),
        # A corrected step closes the turn only if it stands last and states the answer.
        ends=last and dialect.read_answer(step) is not None,
    )
    return Candidate(kind, prompt_id, row, response.id, people.sources, "people")


def _without_repeats(candidates: list[Candidate]) -> list[Candidate]:
    seen: set[str] = set()
    result = []
    for candidate in candidates:
        text = normalised(candidate.row.prefix + candidate.row.chosen) if candidate.row else ""
        repeat = candidate.kept and text in seen
        if candidate.kept:
            seen.add(text)
        result.append(replace(candidate, reason=REPEAT) if repeat else candidate)
    return result

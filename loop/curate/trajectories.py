"""Corrected trajectories: prompt -> good prefix, corrected step, and how it goes on from there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from loop.annotate.aggregate import AgreedCritique
from loop.curate.material import (
    DISAGREES,
    FOUND_WRONG,
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
from loop.phrases import phrase
from loop.records import Branch, Critique, Mark, Message, Origin, Response, RowKind, TrainRow, Verdict

NO_CORRECTION = phrase("first error marked, but neither a corrected step nor an accepted continuation")
KEEPS_ERROR = phrase("an alternative to what follows the wrong step keeps that step")


def corrected_trajectories(
    materials: Iterable[Material], *, dialect: Dialect, accept: Accept = "verifier", max_per_prompt: int = 10
) -> list[Candidate]:
    """One candidate per better ending of a response in which people marked the first error.

    Whole ones: continuations from the good prefix that are accepted, and corrections people wrote.
    Where there is none but a corrected step, that step alone is trained on the good prefix.
    Alternatives that people liked are such endings too, from whatever step on they asked for them.
    """
    candidates: list[Candidate] = []
    for material in materials:
        mine: list[Candidate] = []
        for response in material.responses:
            people = material.people_on(response)
            if people.critique is None:
                continue
            mine += _better_endings(material, response, people.critique, people, dialect, accept)
        candidates += capped(_without_repeats(mine), max_per_prompt, phrase("corrected trajectories"))
    return candidates


def better_versions(material: Material, response: Response, critique: Critique) -> list[Response]:
    """Continuations that keep the good prefix of a judged response, corrections of it by people, and the
    alternatives that they liked."""
    liked = {b.response_id for b in critique.branches if b.good}
    prefix = None if critique.first_error is None else good_prefix(response, critique)

    def better(r: Response) -> bool:
        if r.origin is Origin.CONTINUATION:
            return r.id in liked or (prefix is not None and r.text.startswith(prefix))
        return r.origin is Origin.CORRECTION and prefix is not None

    return [r for r in material.responses if r.parent_id == response.id and better(r)]


def keeps_error(material: Material, version: Response, critique: Critique, step: int) -> bool:
    """Whether an alternative from ``step`` on goes on from the wrong step as it was."""
    error, response = critique.first_error, material.response(critique.response_id)
    if error is None or step <= error or response is None:
        return False
    return normalised(version.steps[error].text) == normalised(response.steps[error].text)


def branch_of(critique: Critique, version: Response) -> Branch | None:
    return next((b for b in critique.branches if b.response_id == version.id), None)


def version_reason(
    material: Material, version: Response, critique: Critique, accept: Accept
) -> tuple[str, str]:
    """(reason against a better version, who accepted it). A person's own rewrite needs no checker, nor
    does an alternative they liked; but one that a checker calls wrong is not trained as a whole."""
    if version.origin is Origin.CORRECTION and not material.people_on(version).sources:
        return "", "people"
    branch = branch_of(critique, version)
    if branch is not None and branch.mark is Mark.WRONG:
        return FOUND_WRONG, "people"
    if branch is not None and branch.good and not material.people_on(version).sources:
        if keeps_error(material, version, critique, branch.step):
            return KEEPS_ERROR, "people"
        if material.verdict(version, "verifier") is Verdict.WRONG:
            return DISAGREES, "people"
        return CUT if version.finish == "length" else "", "people"
    # Neither the model's verdict nor a scorer is asked of continuations; a checker's is, where there is one.
    found = judged(material, version, "verifier" if accept in ("self_verdict", "scorer") else accept)
    return found.reason or (CUT if version.finish == "length" else ""), found.by


def _better_endings(
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
        reason, by = version_reason(material, version, critique, accept)
        row = TrainRow(RowKind.TRAJECTORY, material.prompt.id, messages, chosen=version.text.strip())
        found.append(Candidate(row.kind, row.prompt_id, row, version.id, people.sources, by, reason))
    if critique.first_error is None or any(c.kept for c in found):
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

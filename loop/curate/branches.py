"""Step pairs from alternatives: on one prefix, each step that people liked over each they found wrong."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from loop.curate.material import (
    SAME,
    Candidate,
    Material,
    corrected_step,
    good_prefix,
    normalised,
)
from loop.curate.trajectories import KEEPS_ERROR, keeps_error
from loop.dialects import Dialect
from loop.records import Branch, Critique, Mark, Response, RowKind, TrainRow


@dataclass(frozen=True, slots=True)
class _Step:
    text: str
    ends: bool  # closes the turn
    response_id: str


@dataclass(slots=True)
class _Fork:
    """What was said of the steps that follow one prefix."""

    good: list[_Step] = field(default_factory=list)
    wrong: list[_Step] = field(default_factory=list)


def branch_pairs(
    material: Material, response: Response, critique: Critique, sources: tuple[str, ...], dialect: Dialect
) -> list[Candidate]:
    """Pairs among the rated alternatives, the original step and the person's own correction of it.

    Only steps on exactly the same prefix are compared. A step nobody rated, or rated neutral, is on
    neither side.
    """
    forks: dict[tuple[int, str], _Fork] = defaultdict(_Fork)
    found: list[Candidate] = []
    for branch in critique.branches:
        version = material.response(branch.response_id)
        if version is None or len(version.steps) <= branch.step:
            continue  # nothing was written, or it is not in this material
        if keeps_error(material, version, critique, branch.step):
            found.append(
                Candidate(
                    RowKind.STEP_PAIR, material.prompt.id, None, version.id, sources, "people", KEEPS_ERROR
                )
            )
            continue
        fork = forks[branch.step, _before(version, branch.step)]
        if (side := _side(fork, branch)) is not None:
            side.append(_step(version, branch.step))
    for (step, prefix), fork in forks.items():
        _add_own(fork, response, critique, step, prefix, dialect)
        found += [
            _pair(material, dialect, prefix, good, wrong, sources)
            for good in _distinct(fork.good)
            for wrong in _distinct(fork.wrong)
        ]
    return found


def _side(fork: _Fork, branch: Branch) -> list[_Step] | None:
    return fork.good if branch.good else fork.wrong if branch.mark is Mark.WRONG else None


def _before(response: Response, step: int) -> str:
    return response.text[: response.steps[step].start] if step else ""


def _step(response: Response, step: int) -> _Step:
    last = step == len(response.steps) - 1 and response.finish == "stop"
    return _Step(response.steps[step].text, last, response.id)


def _add_own(
    fork: _Fork, response: Response, critique: Critique, step: int, prefix: str, dialect: Dialect
) -> None:
    """The original step as it was marked, and its correction, where they follow the same prefix."""
    if step >= len(response.steps) or _before(response, step) != prefix:
        return
    if critique.marks[step] is Mark.GOOD:
        fork.good.insert(0, _step(response, step))
    elif critique.marks[step] is Mark.WRONG:
        fork.wrong.insert(0, _step(response, step))
    better = corrected_step(response, critique) if critique.first_error == step else None
    if better is not None and good_prefix(response, critique) == prefix:
        fork.good.insert(0, _Step(better, dialect.read_answer(better) is not None, response.id))


def _distinct(steps: list[_Step]) -> list[_Step]:
    return list({normalised(s.text): s for s in reversed(steps)}.values())[::-1]


def _pair(
    material: Material, dialect: Dialect, prefix: str, good: _Step, wrong: _Step, sources: tuple[str, ...]
) -> Candidate:
    row = TrainRow(
        RowKind.STEP_PAIR,
        material.prompt.id,
        dialect.solve(material.prompt),
        chosen=good.text,
        rejected=wrong.text,
        prefix=prefix,
        ends=good.ends and wrong.ends,
    )
    same = normalised(good.text) == normalised(wrong.text)
    reason = SAME if same else ""
    return Candidate(row.kind, row.prompt_id, row, good.response_id, sources, "people", reason)

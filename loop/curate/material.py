"""What curation reads (`Material`, one per prompt) and what it gives (`Candidate`, kept or dropped)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from loop.annotate.aggregate import AgreedCritique, agreed_critique
from loop.finetune.objectives import SCORER_ROLES
from loop.phrases import phrase
from loop.records import (
    CONTENT_FREE,
    Critique,
    Preference,
    Prompt,
    Response,
    RowKind,
    Score,
    Split,
    TrainRow,
    Verdict,
)

Accept = Literal["verifier", "self_verdict", "people", "scorer"]
KEPT = "kept"
DISAGREES = phrase("the person's verdict and the checker's disagree")
FOUND_WRONG = phrase("a person found it wrong")
OVER = phrase("more than {limit} {what} for this prompt")
SAME = phrase("the better and the worse side are the same text")
_MARKER = re.compile(r"(?:[#*_>-]+\s*)?(?:Step\s+)?\d{1,3}[.):][*_]*\s+", re.IGNORECASE)


class LeakError(ValueError):
    """A held-out or probe prompt came up for training."""


@dataclass(frozen=True, slots=True)
class Material:
    """Everything known about one prompt that training may use. Raises LeakError unless the prompt is a
    train prompt: nothing built from Material can leak. Rewrites made as controls are left out of it."""

    prompt: Prompt
    responses: tuple[Response, ...] = ()
    scores: tuple[Score, ...] = ()
    critiques: tuple[Critique, ...] = ()  # the model's own
    judgements: tuple[Critique, ...] = ()  # people's critiques, one per person and response
    preferences: tuple[Preference, ...] = ()  # people's, between responses
    critique_preferences: tuple[Preference, ...] = ()  # people's, between critiques of one response

    def __post_init__(self) -> None:
        if self.prompt.split is not Split.TRAIN:
            raise LeakError(
                f"prompt {self.prompt.id} is a {self.prompt.split.value} prompt;"
                " only train prompts may become examples"
            )
        if controls := {s.response_id for s in self.scores if s.name == CONTENT_FREE}:
            object.__setattr__(self, "responses", tuple(r for r in self.responses if r.id not in controls))

    def response(self, response_id: str) -> Response | None:
        return next((r for r in self.responses if r.id == response_id), None)

    def people_on(self, response: Response) -> AgreedCritique:
        """What people say of a response, as one judgement."""
        return agreed_critique([c for c in self.judgements if c.response_id == response.id])

    def verdict(self, response: Response, name: str) -> Verdict | None:
        """The verdict of the score called ``name``; None when there is no such score."""
        return next((s.verdict for s in self.scores if s.response_id == response.id and s.name == name), None)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A training row that was considered. ``reason`` says why it was dropped; empty: kept.

    ``row`` is None where there is nothing to word (e.g. no corrected step was given).
    """

    kind: RowKind
    prompt_id: str
    row: TrainRow | None
    response_id: str | None
    sources: tuple[str, ...] = ()  # ids of the critiques and preferences it rests on
    accepted_by: str = ""  # "verifier", "self_verdict", "scorer" or "people"
    reason: str = ""

    @property
    def kept(self) -> bool:
        return self.row is not None and not self.reason


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether a response is accepted, by whom, and why not."""

    right: bool | None  # None: undecided
    by: str
    reason: str = ""
    sources: tuple[str, ...] = ()


def judged(material: Material, response: Response, accept: Accept) -> Judged:
    """People's agreed word first; where nobody judged, the verdict of the verifier, scorer or model itself.

    A response is accepted by people when they call it right and mark no wrong step.
    """
    people = material.people_on(response)
    if people.critique is not None:
        right = people.critique.verdict is Verdict.RIGHT and people.critique.first_error is None
        return Judged(right, "people", "" if right else FOUND_WRONG, people.sources)
    if people.sources:
        return Judged(None, "people", people.reason, people.sources)
    if accept == "people":
        return Judged(None, "people", phrase("nobody judged it"))
    verdict = material.verdict(response, accept)
    return Judged(
        {Verdict.RIGHT: True, Verdict.WRONG: False}.get(verdict) if verdict else None,
        accept,
        _REASONS[accept][verdict],
    )


_REASONS: dict[str, dict[Verdict | None, str]] = {
    "verifier": {
        Verdict.RIGHT: "",
        Verdict.WRONG: phrase("the checker says wrong"),
        Verdict.UNKNOWN: phrase("the checker could not tell"),
        Verdict.ERROR: phrase("the checker failed"),
        None: phrase("not checked"),
    },
    "self_verdict": {
        Verdict.RIGHT: "",
        Verdict.WRONG: phrase("the model itself calls it wrong"),
        Verdict.UNKNOWN: phrase("the model's own verdict is open, or could not be read"),
        Verdict.ERROR: phrase("the model's own critique failed"),
        None: phrase("not a final version: the model gave no verdict on it"),
    },
    "scorer": {
        Verdict.RIGHT: "",
        Verdict.WRONG: phrase("the scorer gives it less than the threshold"),
        Verdict.UNKNOWN: phrase("the scorer gave no number"),
        None: phrase("the scorer was not asked"),
    },
}


def with_scorer_verdicts(material: Material, threshold: float) -> Material:
    """The material with a verdict called "scorer" of each response that a scorer gave a number: right from
    ``threshold`` on. A process reward is taken before a reward; who has such a verdict keeps it."""
    known = {s.response_id for s in material.scores if s.name == "scorer"}
    numbers = {
        s.response_id: s.value
        for role in SCORER_ROLES
        for s in material.scores
        if s.name == role and s.response_id not in known
    }
    verdicts = tuple(
        Score(
            pk,
            "scorer",
            value,
            Verdict.UNKNOWN if value is None else Verdict.RIGHT if value >= threshold else Verdict.WRONG,
        )
        for pk, value in numbers.items()
    )
    return replace(material, scores=(*material.scores, *verdicts))


def certain(material: Material) -> Material:
    """The material with every preference as strong as can be."""
    if all(p.strength == 1 for p in material.preferences):
        return material
    return replace(material, preferences=tuple(replace(p, strength=1.0) for p in material.preferences))


def checker_disagrees(material: Material, response: Response, critique: Critique) -> bool:
    """Whether a decided checker contradicts a person's verdict on the whole response."""
    verdict = material.verdict(response, "verifier")
    return (
        verdict is not None
        and verdict.decided
        and critique.verdict.decided
        and verdict is not critique.verdict
    )


def good_prefix(response: Response, critique: Critique, *, corrected: bool = False) -> str:
    """The text before the first error, up to where the wrong step begins; with ``corrected``, also the
    corrected step if one was given, and the separator after it.

    Raises:
        ValueError: the critique marks no first error, or one outside the response.
    """
    error, steps = critique.first_error, response.steps
    if error is None or error >= len(steps):
        raise ValueError(f"the critique marks no first error among the {len(steps)} steps")
    good = response.text[: steps[error].start] if error else ""
    better = corrected_step(response, critique) if corrected else None
    return f"{good}{better}{_separator(response, error)}" if better else good


def prefix_before(response: Response, step: int, corrections: Mapping[int, str]) -> str:
    """The text up to where ``step`` begins, with what a person corrected in the steps before it.

    Raises:
        ValueError: the response has no such step.
    """
    steps = response.steps
    if not 0 <= step < len(steps):
        raise ValueError(f"there is no step {step} among the {len(steps)} steps")
    parts, at = [], 0
    for s in steps[:step]:
        parts += [response.text[at : s.start], _numbered(s.text, corrections.get(s.index, "")) or s.text]
        at = s.end
    return "".join(parts) + response.text[at : steps[step].start] if step else ""


def _separator(response: Response, index: int) -> str:
    """What this text puts between steps: after this one, else before it, else a line break."""
    gaps = [response.text[a.end : b.start] for a, b in pairwise(response.steps)]
    near = gaps[index : index + 1] or gaps[index - 1 : index] if index else gaps[:1]
    return near[0] if near and near[0] else "\n"


def corrected_step(response: Response, critique: Critique) -> str | None:
    """The corrected first wrong step; it keeps the number ("2. ") that people leave out."""
    error = critique.first_error
    if error is None:
        return None
    return _numbered(response.steps[error].text, critique.corrections.get(error, "")) or None


def _numbered(step: str, better: str) -> str:
    """``better`` with the number of the step it stands for; "" when nothing was written."""
    better, marker = better.strip(), _MARKER.match(step)
    return marker[0] + better if better and marker and not _MARKER.match(better) else better


def normalised(text: str) -> str:
    """Texts alike after this are the same sample."""
    return " ".join(text.split())


def funnel(candidates: Iterable[Candidate]) -> dict[str, int]:
    """How many candidates were kept and how many dropped for each reason, most frequent first."""
    return in_order(Counter(KEPT if c.kept else c.reason for c in candidates))


def in_order(counts: Mapping[str, int]) -> dict[str, int]:
    """A funnel, or the sum of several: what was kept, then the reasons, most frequent first."""
    return dict(sorted(counts.items(), key=lambda item: (item[0] != KEPT, -item[1], item[0])))


def capped(candidates: Sequence[Candidate], limit: int, what: str) -> list[Candidate]:
    """Drop what exceeds ``limit`` kept candidates, in order; people's acceptances first."""
    order = sorted(
        (i for i, c in enumerate(candidates) if c.kept),
        key=lambda i: (candidates[i].accepted_by != "people", i),
    )
    over = set(order[limit:])
    reason = OVER.format(limit=limit, what=what)
    return [replace(c, reason=reason) if i in over else c for i, c in enumerate(candidates)]

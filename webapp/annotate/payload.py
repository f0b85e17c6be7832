"""The answer to each kind of task, as a schema, and the checks that need the task itself.

Step critique: one mark per step; after the first error the rest is unjudged (null), never wrong. A step
the person is unsure of is unjudged as well, and listed in ``unsure``.
Preference: ``winner`` is the index of the *candidate* in ``task.response_ids``, whatever order the
candidates were displayed in; the display order is stored beside the answer.
Critique review: one critique is accepted, edited or rejected; of two, one is preferred.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import isfinite
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from webapp.annotate.errors import PayloadInvalid
from webapp.annotate.models import Annotation, AnnotationTask, TaskKind

Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Index = Annotated[int, Field(ge=0)]


MOST_BRANCHES = 50
MOST_BYTES = 1024 * 1024  # of an answer: a hundred steps with the longest comments and corrections
DEEPEST = 30


@dataclass(frozen=True, slots=True)
class Beside:
    """What an answer is checked against."""

    texts: list[str]  # the steps, or one entry per candidate response
    critiques: int = 0  # of a critique review: how many there are
    error_kinds: list[str] = field(default_factory=list)
    criteria: list[dict[str, Any]] = field(default_factory=list)
    alternatives: dict[str, int] = field(default_factory=dict)  # response id -> step it starts at


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    def check(self, beside: Beside) -> list[str]:
        """Faults that only show beside the task; none: []."""
        return []


class Branch(_Answer):
    """A person's word on one alternative that the model wrote from ``step`` on."""

    step: Index
    response: UUID
    mark: Literal[-1, 0, 1] | None = None
    chosen: bool = False


class CritiqueContent(_Answer):
    """A judgement step by step, whoever wrote it first."""

    marks: list[Literal[-1, 0, 1] | None]
    first_error: Index | None = None
    comments: dict[Index, Prose] = Field(default_factory=dict)
    corrections: dict[Index, Prose] = Field(default_factory=dict)
    verdict: Literal["right", "wrong", "unknown"]

    @model_validator(mode="after")
    def _unjudged_after_the_first_error(self) -> Self:
        first, wrong = self.first_error, [i for i, m in enumerate(self.marks) if m == -1]
        if first is None and wrong:
            raise ValueError(f"Step {wrong[0] + 1} is marked wrong, so it must be the first error.")
        if first is None:
            return self
        if first >= len(self.marks) or self.marks[first] != -1:
            raise ValueError("The first error must be a step marked wrong.")
        if wrong[0] < first:
            raise ValueError(f"Step {wrong[0] + 1} is marked wrong before the first error.")
        judged = [i for i in range(first + 1, len(self.marks)) if self.marks[i] is not None]
        if judged:
            raise ValueError(f"Step {judged[0] + 1} comes after the first error and must stay unjudged.")
        return self

    def rated(self) -> set[int]:
        """The steps that have been judged one way or the other."""
        return {i for i, mark in enumerate(self.marks) if mark is not None}

    def check(self, beside: Beside) -> list[str]:
        texts, count, rated = beside.texts, len(beside.texts), self.rated()
        if len(self.marks) != count:
            return [f"The response has {count} steps, the answer has {len(self.marks)} marks."]
        last = count if self.first_error is None else self.first_error + 1
        problems = [f"Step {i + 1} is not rated yet." for i in range(last) if i not in rated]
        problems += [f"There is no step {i + 1} to comment on." for i in self.comments if i >= count]
        problems += [
            f"Step {i + 1} cannot be corrected: it "
            + ("does not exist." if i >= count else "follows the first error.")
            for i in self.corrections
            if i >= last
        ]
        problems += [
            f"Step {i + 1} is rated good, so there is nothing to correct."
            for i in self.corrections
            if i < last and self.marks[i] == 1
        ]
        problems += [
            f"The correction of step {i + 1} is the same as the step."
            for i, text in self.corrections.items()
            if i < last and text == texts[i].strip()
        ]
        return problems


class StepCritiqueAnswer(CritiqueContent):
    unsure: list[Index] = Field(default_factory=list, description="steps the person cannot judge")
    kinds: dict[Index, str] = Field(default_factory=dict, description="wrong step -> kind of error")
    spans: dict[Index, list[tuple[Index, Index]]] = Field(
        default_factory=dict, description="step -> wrong passages, by character within the step"
    )
    confidence: Literal[1, 2, 3, 4] | None = None
    branches: Annotated[list[Branch], Field(max_length=MOST_BRANCHES)] = Field(default_factory=list)

    def rated(self) -> set[int]:
        return super().rated() | set(self.unsure)

    def check(self, beside: Beside) -> list[str]:
        problems = super().check(beside)
        count = len(beside.texts)
        if len(self.marks) != count:
            return problems
        last = count if self.first_error is None else self.first_error + 1
        problems += [
            f"Step {i + 1} cannot be unsure: it "
            + ("follows the first error." if i < count else "does not exist.")
            for i in self.unsure
            if i >= last
        ]
        problems += [
            f"Step {i + 1} is both rated and unsure."
            for i in self.unsure
            if i < last and self.marks[i] is not None
        ]
        problems += self._kinds_check(beside) + self._spans_check(beside) + self._branches_check(beside)
        return problems

    def _kinds_check(self, beside: Beside) -> list[str]:
        problems = []
        for i, kind in self.kinds.items():
            if i >= len(beside.texts) or self.marks[i] != -1:
                problems.append(f"Step {i + 1} is not marked wrong, so it has no kind of error.")
            elif kind not in beside.error_kinds:
                known = ", ".join(beside.error_kinds) or "none yet"
                problems.append(f"There is no kind of error called {kind!r}; there are: {known}.")
        return problems

    def _spans_check(self, beside: Beside) -> list[str]:
        problems = []
        for i, spans in self.spans.items():
            size = len(beside.texts[i]) if i < len(beside.texts) else 0
            if any(not start < end <= size for start, end in spans):
                problems.append(f"A marked passage of step {i + 1} lies outside of the step.")
        return problems

    def _branches_check(self, beside: Beside) -> list[str]:
        problems, chosen, seen = [], set(), set()
        for branch in self.branches:
            key = str(branch.response)
            if beside.alternatives.get(key) != branch.step:
                problems.append(f"There is no such alternative for step {branch.step + 1}.")
            if key in seen:
                problems.append(f"An alternative for step {branch.step + 1} is rated twice.")
            seen.add(key)
            if branch.chosen and branch.step in chosen:
                problems.append(f"Only one alternative can be chosen for step {branch.step + 1}.")
            if branch.chosen and branch.mark == -1:
                problems.append(f"The alternative chosen for step {branch.step + 1} is rated wrong.")
            if branch.chosen:
                chosen.add(branch.step)
        return problems


class PreferenceAnswer(_Answer):
    winner: Index | None = None
    strength: Literal[1, 2, 3] = Field(2, description="1 slightly, 2 clearly, 3 much better")
    all_bad: bool = False
    rationale: Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)] = ""
    ranking: list[list[Index]] = Field(
        default_factory=list,
        description="candidates, best first; one group is a tie; [] = not given",
    )
    ratings: dict[str, list[Annotated[int, Field(ge=1, le=5)] | None]] = Field(
        default_factory=dict, description="criterion -> rating per candidate"
    )
    checks: dict[str, list[bool | None]] = Field(
        default_factory=dict, description="yes/no criterion -> answer per candidate"
    )

    @model_validator(mode="after")
    def _all_bad_has_no_winner(self) -> Self:
        if self.all_bad and self.winner is not None:
            raise ValueError("Either one response is better or all are bad, not both.")
        return self

    def check(self, beside: Beside) -> list[str]:
        count = len(beside.texts)
        if self.winner is not None and self.winner >= count:
            return [f"There is no response {self.winner + 1}: the task has {count}."]
        problems = []
        if self.ranking:
            if sorted(i for group in self.ranking for i in group) != list(range(count)):
                problems.append("The ranking must hold every response exactly once.")
            elif self.winner is not None and self.ranking[0] != [self.winner]:
                problems.append("The first in the ranking is not the response that was called better.")
            elif self.winner is None and not self.all_bad and len(self.ranking[0]) == 1:
                problems.append("The ranking has a single best response, so it is the better one.")
        for given, kind in ((self.ratings, "rating"), (self.checks, "yesno")):
            known = {c["key"] for c in beside.criteria if c["kind"] == kind}
            problems += [f"There is no criterion called {key!r}." for key in given if key not in known]
            problems += [
                f"Criterion {key!r} needs one entry per response."
                for key, values in given.items()
                if len(values) != count
            ]
        return problems


class CritiqueReviewAnswer(_Answer):
    decision: Literal["accept", "edit", "reject", "prefer"]
    edited: CritiqueContent | None = None
    winner: Literal[0, 1] | None = Field(None, description="of two: the better critique; null is a tie")
    strength: Literal[1, 2, 3] = 2
    all_bad: bool = False
    reason: Reason = ""

    @model_validator(mode="after")
    def _parts_fit_the_decision(self) -> Self:
        if (self.decision == "edit") != (self.edited is not None):
            raise ValueError("An edited critique comes with the decision to edit, and only with it.")
        if self.decision != "prefer" and (self.winner is not None or self.all_bad):
            raise ValueError("A better one is named only where two critiques are compared.")
        if self.all_bad and self.winner is not None:
            raise ValueError("Either one critique is better or both are bad, not both.")
        return self

    def check(self, beside: Beside) -> list[str]:
        if (self.decision == "prefer") != (beside.critiques == 2):
            return [
                "Two critiques are compared: say which is better."
                if beside.critiques == 2
                else "There is one critique: accept, edit or reject it."
            ]
        return self.edited.check(beside) if self.edited else []


class SetAside(_Answer):
    """Bad problem, give up, unsure: a reason, and the work done so far, kept but never trained on."""

    reason: Reason = ""
    partial: dict[str, Any] | None = None


def text_check(value: Any) -> None:
    """Refuse what no database stores or no page could show again, at any depth: NUL characters and halves of
    surrogate pairs, numbers without end, nesting without end.

    Raises:
        PayloadInvalid: one sentence.
    """
    waiting = [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        if depth > DEEPEST:
            raise PayloadInvalid([f"The answer is nested more than {DEEPEST} levels deep."])
        if isinstance(part, dict):
            waiting += [(one, depth + 1) for one in (*part.keys(), *part.values())]
        elif isinstance(part, list):
            waiting += [(one, depth + 1) for one in part]
        elif isinstance(part, str) and any(c == "\0" or "\ud800" <= c <= "\udfff" for c in part):
            raise PayloadInvalid(["The text holds a character that cannot be stored; type that place anew."])
        elif isinstance(part, float) and not isfinite(part):
            raise PayloadInvalid(["A number is too large to be stored."])


_SCHEMAS: dict[str, type[_Answer]] = {
    TaskKind.STEP_CRITIQUE: StepCritiqueAnswer,
    TaskKind.PREFERENCE: PreferenceAnswer,
    TaskKind.CRITIQUE_REVIEW: CritiqueReviewAnswer,
}


def payload_clean(*, task: AnnotationTask, outcome: str, payload: Any, beside: Beside) -> dict[str, Any]:
    """The answer, checked and normalised.

    Raises:
        PayloadInvalid: with one sentence per fault.
    """
    text_check(payload)
    if len(json.dumps(payload)) > MOST_BYTES:
        raise PayloadInvalid([f"An answer may have at most {MOST_BYTES // 1024} KiB."])
    schema: type[_Answer] = SetAside
    if outcome == Annotation.Outcome.ANSWERED:
        schema = _SCHEMAS[task.kind]
    elif outcome not in Annotation.Outcome.values:
        known = ", ".join(Annotation.Outcome.values)
        raise PayloadInvalid([f"There is no outcome {outcome!r}; there are: {known}."])
    try:
        answer = schema.model_validate(payload)
    except ValidationError as error:
        raise PayloadInvalid([_sentence(fault) for fault in error.errors()]) from error
    if problems := answer.check(beside):
        raise PayloadInvalid(problems)
    return answer.model_dump(mode="json")


def _sentence(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{where}: {message}." if where else f"{message}."

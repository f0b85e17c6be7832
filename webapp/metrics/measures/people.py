"""People: what they say beside checker and critic, how long it takes them, what an hour of theirs gains.

Time is that of people alone. What simulated annotators say is compared like everybody's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext_noop as _noop

from loop.annotate.reliability import ITEM_CAP, Judged, same_judgement
from loop.evaluate.estimates import PromptSums
from loop.evaluate.metric import Metric, Value
from loop.evaluate.people import gain_per_hour, median_interval
from loop.records import Author, Verdict
from loop.stages import Stage
from webapp.annotate.agreement import Asked, kinds_measured, overlapping_answers
from webapp.annotate.models import Annotation, TaskKind, TaskPurpose
from webapp.iterations.models import Iteration
from webapp.registry.selectors import OUTCOME
from webapp.traces.models import Critique

GROUP = "People"
ORDER = 100

_OWN = "Whetstone"
METRICS = (
    Metric("people_agree_with_checker", "People agree with the checker", "share", "up",
           "equal verdicts / judgements by people of responses with the checker's verdict", _OWN),
    Metric("seconds_per_answer", "Seconds for an answer", "s", "down", "median", _OWN),
    Metric("answers", "Answers", "count", "", "answers to its tasks, simulated ones too", _OWN),
    Metric("people_hours", "Hours of people", "h", "",
           f"sum of the times of answers, each at most {ITEM_CAP:.0f} s", _OWN),
    Metric("labels_per_hour", "Labels for each hour", "per hour", "up",
           "answers that judge / hours of people",
           _OWN),
    Metric("accept_rate", "Critiques people accept", "share", "up",
           "the same first error, or none and the same verdict / answers where the model had a critique",
           _OWN),
    Metric("override_rate", "Verdicts people override", "share", "down",
           "P(a person's verdict is not the critique's | the model's critique was shown or existed)",
           _OWN),
    Metric("people_alpha", "People agree with each other", "score", "up",
           "Krippendorff's alpha = 1 - observed / expected disagreement, of tasks that several answered",
           "Krippendorff 2011"),
    Metric("gain_per_hour", "Gain for each hour", "per hour", "up",
           "points of held-out accuracy gained / hours of people", _OWN),
)  # fmt: skip

CHUNK = 5000


def _annotated(iteration: Iteration) -> Iterator[Value]:
    yield from _with_checker(iteration)
    yield from _time(iteration)
    yield from _with_critic(iteration)
    yield from _with_each_other(iteration)


def _with_checker(iteration: Iteration) -> Iterable[Value]:
    sums = PromptSums("agrees", "judged", seed=iteration.seed)
    rows = Critique.objects.filter(
        response__iteration=iteration, author_kind=Author.PERSON.value, response__verdict__in=list(OUTCOME)
    ).order_by()
    unsure = 0
    for prompt, said, checker in rows.values_list("response__prompt_id", "verdict", "response__verdict"):
        unsure += said not in OUTCOME
        sums.add(prompt, {"agrees": said == checker, "judged": 1} if said in OUTCOME else {})
    if not sums:
        return []
    return [sums.share("people_agree_with_checker", "agrees", "judged", detail={"unscored": unsure})]


# ------------------------------------------------------------------------------------------------ time


def _answers(iteration: Iteration) -> QuerySet[Annotation]:
    return Annotation.objects.filter(task__iteration=iteration).order_by()


def _time(iteration: Iteration) -> Iterator[Value]:
    sums = PromptSums("labels", "hours", seed=iteration.seed)
    seconds, answers, simulated = [], 0, 0
    columns = _answers(iteration).values_list("task__prompt_id", "seconds", "outcome", "user__is_simulated")
    for prompt, took, outcome, program in columns.iterator(chunk_size=CHUNK):
        answers += 1
        simulated += program
        if took is None or program:
            continue
        seconds.append(took)
        judges = outcome == Annotation.Outcome.ANSWERED
        sums.add(prompt, {"labels": judges, "hours": min(took, ITEM_CAP) / 3600})
    if answers:
        yield Value("answers", answers, n=answers, detail={"simulated": simulated})
    if not seconds:
        return
    middle, ends = median_interval(seconds)
    yield Value("seconds_per_answer", middle, ends, len(seconds), {"interval": "order statistics"})
    hours = float(sums.column("hours").sum())
    yield Value("people_hours", hours, n=len(seconds))
    if hours > 0:
        labels = sums.total("labels")
        yield sums.value("labels_per_hour", lambda n, h: n / h, "labels", "hours", n=labels)


def _hours(iteration: Iteration) -> float:
    timed = _answers(iteration).filter(user__is_simulated=False, seconds__isnull=False)
    return sum(min(s or 0.0, ITEM_CAP) for s in timed.values_list("seconds", flat=True)) / 3600


def _decided(iteration: Iteration) -> Iterable[Value]:
    hours = _hours(iteration)
    gain = gain_per_hour(iteration.decision.get("effect"), hours)
    if gain is None:
        return []
    low, high = iteration.decision.get("ci95") or (None, None)
    ends = None if low is None or high is None else (100 * low / hours, 100 * high / hours)
    detail = {"hours": hours, "gain": iteration.decision["effect"]}
    return [Value("gain_per_hour", gain, ends, int(iteration.decision.get("n") or 0), detail)]


# ------------------------------------------------------------------------------- the model's own critiques


class _Answer(NamedTuple):
    response: UUID
    prompt: int
    kind: str
    at: datetime
    shown: str | None  # id of the critique that was on the screen
    reviewed: list[UUID]
    decision: str | None
    verdict: str | None
    first_error: int | None
    edited_verdict: str | None
    edited_first_error: int | None

    @property
    def judged(self) -> Judged:
        if self.kind == TaskKind.CRITIQUE_REVIEW:
            return Judged(Verdict(self.edited_verdict or "unknown"), self.edited_first_error)
        return Judged(Verdict(self.verdict or "unknown"), self.first_error)


_COLUMNS = (
    "task__response_id", "task__prompt_id", "task__kind", "created_at", "shown__model_critique",
    "task__critique_ids", "payload__decision", "payload__verdict", "payload__first_error",
    "payload__edited__verdict", "payload__edited__first_error",
)  # fmt: skip
_Made = tuple[str, datetime, Judged]  # id, when, what it says


def _with_critic(iteration: Iteration) -> Iterable[Value]:
    """Step critiques against the model's critique of that response: the one shown, else the latest before
    the answer. Reviews against the critique that they are of; who rejects it names no verdict."""
    asked = _answers(iteration).filter(
        outcome=Annotation.Outcome.ANSWERED,
        task__purpose=TaskPurpose.LABEL,
        task__kind__in=[TaskKind.STEP_CRITIQUE, TaskKind.CRITIQUE_REVIEW],
    )
    made = _critiques(asked)
    sums = PromptSums("accepted", "met", "overridden", "decided", seed=iteration.seed)
    shown = 0
    for row in asked.values_list(*_COLUMNS).iterator(chunk_size=CHUNK):
        answer = _Answer(*row)
        critique = _met(answer, made[answer.response])
        if critique is None or answer.decision == "prefer":
            continue
        counts = _compared(answer, critique)
        shown += bool(counts) and bool(answer.shown or answer.reviewed)
        sums.add(answer.prompt, counts)
    if not sums or not sums.total("met"):
        return []
    return [
        sums.share("accept_rate", "accepted", "met", detail={"shown": shown}),
        sums.share(
            "override_rate", "overridden", "decided", reason=_noop("nobody who met a critique gave a verdict")
        ),
    ]


def _critiques(asked: QuerySet[Annotation]) -> dict[Any, list[_Made]]:
    """The model's readable critiques of the responses asked about, oldest first."""
    rows = Critique.objects.filter(
        response__in=asked.values("task__response_id"), author_kind=Author.MODEL.value, parsed=True
    ).order_by("created_at", "id")
    found: dict[Any, list[_Made]] = defaultdict(list)
    columns = rows.values_list("response_id", "pk", "created_at", "verdict", "first_error")
    for response, pk, at, verdict, first in columns.iterator(chunk_size=CHUNK):
        found[response].append((str(pk), at, Judged(Verdict(verdict), first)))
    return found


def _met(answer: _Answer, made: list[_Made]) -> Judged | None:
    wanted = str(answer.reviewed[0]) if answer.reviewed else answer.shown
    there = [said for pk, at, said in made if pk == wanted or (wanted is None and at < answer.at)]
    return there[-1] if there else None


def _compared(answer: _Answer, critique: Judged) -> dict[str, int]:
    if answer.decision in ("accept", "reject"):
        accepted = answer.decision == "accept"
        decided = {"decided": 1} if accepted else {}
        return {"met": 1, "accepted": int(accepted), **decided}
    same = same_judgement(critique, answer.judged)
    counts = {} if same is None else {"met": 1, "accepted": int(same)}
    if critique.verdict.decided and answer.judged.verdict.decided:
        counts |= {"decided": 1, "overridden": int(critique.verdict is not answer.judged.verdict)}
    return counts


def _with_each_other(iteration: Iteration) -> Iterable[Value]:
    """Of the kind of task that most was asked of; of first errors where there are any."""
    shared = overlapping_answers(iteration.project, Asked(iteration=iteration.number))
    kinds = kinds_measured(shared.rows)
    if not kinds:
        return []
    kind = max(kinds, key=lambda k: k.tasks)
    lines = {line.key: line.figure for line in kind.lines}
    key = "first_error" if "first_error" in lines else "choice"
    figure = lines[key]
    detail = {"kind": kind.kind, "of": key} | ({"reason": figure.reason} if figure.value is None else {})
    return [Value("people_alpha", figure.value, figure.ci95, figure.n, detail)]


MEASURES = {Stage.ANNOTATE: _annotated, Stage.PROMOTE: _decided}

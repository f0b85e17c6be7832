"""What the project's first page says: is it better, by how much, what did people do, which iteration was bad.

Everything is read from iterations, their decisions and alarms: never from responses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from django.db.models import Count, Q, Sum

from loop.evaluate.rates import wilson
from loop.stages import Stage, Status
from webapp.annotate.models import DayCount
from webapp.curate.models import DatasetVersion
from webapp.iterations.models import Iteration
from webapp.metrics.alarms_page import AlarmRow, told_alone
from webapp.metrics.models import Alarm
from webapp.projects.models import Project
from webapp.registry.comparing import counts_of, pairs_of
from webapp.registry.models import ModelVersion

LOOKED_AT = 50  # the newest iterations; older ones are on their list
UNREAD = ("recipe", "counts", "champion__training", "champion__canary", *DatasetVersion.JOINED)


@dataclass
class Turn:
    """An iteration at a glance. ``before_ends`` and ``after_ends``: the 95 % intervals of the held-out shares
    that its decision is about."""

    iteration: Iteration
    alarms: list[AlarmRow] = field(default_factory=list)

    @property
    def decision(self) -> Mapping[str, Any]:
        return self.iteration.decision or {}

    @cached_property
    def before_ends(self) -> tuple[float, float] | None:
        return _ends(self.decision.get("before"), self.decision.get("n"))

    @cached_property
    def after_ends(self) -> tuple[float, float] | None:
        return _ends(self.decision.get("after"), self.decision.get("n"))

    @property
    def main(self) -> bool:
        return self.iteration.arm == Iteration.Arm.MAIN

    @property
    def promoted(self) -> bool:
        return bool(self.decision.get("promote"))

    @property
    def over(self) -> bool:
        return self.iteration.stage == Stage.DONE.value

    @property
    def bad(self) -> bool:
        return any(row.alarm.level == Alarm.Level.BAD for row in self.alarms)


@dataclass(frozen=True, slots=True)
class Better:
    """The champion against the base on the same held-out prompts.

    ``word``: yes, no (it could be chance), worse; "base" while the base is the champion, "unknown" where both
    were not measured on the same prompts.
    """

    word: str
    promoted: int
    of: int  # iterations of the main arm that are over
    before: float | None = None
    after: float | None = None
    effect: float | None = None
    ci95: tuple[float, float] | None = None
    p_value: float | None = None
    n: int = 0
    turn: Turn | None = None  # whose challenger is the champion


@dataclass(frozen=True, slots=True)
class Done:
    """What people did, and apart from them what simulated ones did."""

    answers: int
    seconds: float
    people: int
    rows: int  # of the main arm's dataset versions that rest on answers
    simulated: bool = False
    per_hour: float | None = None  # points gained

    @property
    def hours(self) -> float:
        return self.seconds / 3600


def turns_of(project: Project, *, told: bool = True) -> list[Turn]:
    """The newest iterations, newest first, with their alarms (``told``: see `told_alone`): two queries."""
    rows = project.iterations.select_related("champion", "dataset_version").defer(*UNREAD)
    turns = {row.pk: Turn(row) for row in rows.order_by("-number")[:LOOKED_AT]}
    for turn in turns.values():
        turn.iteration.project = project
    alarms = told_alone(project.alarms.filter(iteration__in=turns), told)
    alarms = alarms.order_by("level", "id")  # bad comes before warn
    for alarm in alarms:
        alarm.iteration = turns[alarm.iteration_id].iteration
        turns[alarm.iteration_id].alarms.append(AlarmRow(alarm))
    return list(turns.values())


def _ends(share: float | None, n: int | None) -> tuple[float, float] | None:
    """Of a share that a decision noted without its interval."""
    if share is None or not n:
        return None
    return wilson(round(share * n), n)


def open_turn(turns: Iterable[Turn]) -> Turn | None:
    """The newest that is not over."""
    over = (Status.DONE.value, Status.CANCELLED.value)
    return next((t for t in turns if t.iteration.status not in over), None)


def better_of(project: Project, turns: Sequence[Turn]) -> Better:
    """Whether the champion beats the base. The gate's own comparison where it made one; else both are
    compared on the prompts that both answered: up to three queries more."""
    mine = [t for t in turns if t.main and t.over]
    known = Better("base", promoted=sum(t.promoted for t in mine), of=len(mine))
    champion = project.champion
    if champion is None or champion.parent_id is None:
        return known
    known = replace(known, turn=next((t for t in mine if t.iteration.challenger_id == champion.pk), None))
    found = _against_base(known.turn)
    if found is None:
        return _compared(project, turns, known)
    return replace(
        known,
        word=_word(found.get("ci95")),
        before=found["before"],
        after=found["after"],
        effect=found["effect"],
        ci95=_pair(found.get("ci95")),
        p_value=found.get("p_value"),
        n=found.get("n") or 0,
    )


def _against_base(turn: Turn | None) -> Mapping[str, Any] | None:
    """What the gate found of the champion against the base, in the decision that made it champion."""
    if turn is None or "effect" not in turn.decision or "picks" in turn.decision:
        return None
    found: Mapping[str, Any] | None = (turn.decision.get("against") or {}).get("base")
    if found is not None:
        return found
    replaced = turn.iteration.champion
    return turn.decision if replaced is not None and replaced.parent_id is None else None


def _compared(project: Project, turns: Sequence[Turn], known: Better) -> Better:
    champion, base = project.champion, _base(project, turns)
    pair = next(iter(pairs_of(base, champion, "heldout")), None) if base and champion else None
    found = counts_of(pair) if pair else None
    if found is None or found.change is None:
        return replace(known, word="unknown")
    shown, n = found.shown, found.paired
    return replace(
        known,
        word=_word(found.change.ci95),
        before=(shown["both_right"] + shown["turned_wrong"]) / n,
        after=(shown["both_right"] + shown["turned_right"]) / n,
        effect=found.change.effect,
        ci95=found.change.ci95,
        p_value=found.test.p_value,
        n=n,
    )


def _base(project: Project, turns: Sequence[Turn]) -> ModelVersion | None:
    known = (t.iteration.champion for t in turns)
    seen = next((v for v in known if v and v.parent_id is None), None)
    versions = project.model_versions.filter(parent=None, role=ModelVersion.Role.POLICY)
    return seen or versions.order_by("number").first()


def _word(ci95: Sequence[float] | None) -> str:
    if not ci95:
        return "no"
    return "yes" if ci95[0] > 0 else "worse" if ci95[1] < 0 else "no"


def _pair(ends: Sequence[float] | None) -> tuple[float, float] | None:
    return (ends[0], ends[1]) if ends else None


def done_of(project: Project, turns: Iterable[Turn], better: Better) -> list[Done]:
    """What people did and, where any are, simulated ones: one query.

    The gain per hour is the champion's over the hours of people; over those of simulated ones only where no
    person answered.
    """
    human, simulated = Q(user__is_simulated=False), Q(user__is_simulated=True)
    sums = DayCount.objects.filter(project=project).aggregate(
        **{f"answers_{k}": Sum("answers", filter=q, default=0) for k, q in (("h", human), ("s", simulated))},
        **{
            f"seconds_{k}": Sum("seconds", filter=q, default=0.0) for k, q in (("h", human), ("s", simulated))
        },
        **{
            f"people_{k}": Count("user", filter=q, distinct=True) for k, q in (("h", human), ("s", simulated))
        },
    )
    datasets = [t.iteration.dataset_version for t in turns if t.main and t.iteration.dataset_version]
    answered = sum(int(d.manifest.get("answered") or 0) for d in datasets)
    robots = sum(int(d.manifest.get("simulated") or 0) for d in datasets)
    found = []
    for key, rows, simulates in (("h", answered - robots, False), ("s", robots, True)):
        answers, seconds = sums[f"answers_{key}"], sums[f"seconds_{key}"]
        if not answers:
            continue
        counts = better.effect is not None and seconds > 0 and (not simulates or not sums["answers_h"])
        per_hour = 100 * better.effect / (seconds / 3600) if counts and better.effect is not None else None
        found.append(Done(answers, seconds, sums[f"people_{key}"], rows, simulates, per_hour))
    return found

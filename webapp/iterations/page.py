"""What the iteration page shows, read in a fixed number of queries and put into plain shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as _noop

from loop.stages import Stage, Status
from webapp.annotate.models import TaskPurpose
from webapp.annotate.selectors import iteration_asked
from webapp.curate.models import DatasetVersion
from webapp.iterations.models import Iteration, RunPoint, WorkUnit
from webapp.iterations.sentences import told
from webapp.metrics.charts import Bar, Curve, curve, funnel
from webapp.projects.models import Project
from webapp.projects.selectors import built_in

STAGES = [s for s in Stage if s is not Stage.DONE]
UNFINISHED = [s.value for s in (Status.RUNNING, Status.WAITING, Status.PAUSED, Status.FAILED)]
ASKING = (Stage.ANNOTATE.value, Stage.PROMOTE.value)  # the stages in which it may wait for people
ASKED_AT = {
    Stage.ANNOTATE.value: ("annotate", TaskPurpose.LABEL.value),
    Stage.PROMOTE.value: ("compare", TaskPurpose.GATE.value),
}
MOVING = (Status.RUNNING.value, Status.WAITING.value)
DOING = {
    "prepare": _noop("Choosing prompts and pinning the champion"),
    "generate": _noop("The model answers the prompts"),
    "annotate": _noop("Preparing tasks for people"),
    "curate": _noop("Turning answers into examples"),
    "finetune": _noop("Training an adapter"),
    "evaluate": _noop("Measuring challenger and champion on the same prompts"),
    "promote": _noop("The gate decides"),
}
WHAT = {
    "generate": _noop("prompts"),
    "continue": _noop("corrections continued"),
    "curate": "",
    "train": _noop("steps"),
    "evaluate": _noop("prompts"),
    "rank": _noop("prompts ranked"),
    "simulate": _noop("answers"),
    "annotate": _noop("answers"),
    "compare": _noop("blind comparisons"),
    "measure": "",
}

# Words that templates translate by their name: stages, their states, kinds of work.
NAMED = (
    _noop("prepare"), _noop("generate"), _noop("annotate"), _noop("curate"), _noop("finetune"),
    _noop("evaluate"), _noop("promote"), _noop("done"), _noop("now"), _noop("waiting"), _noop("paused"),
    _noop("failed"), _noop("cancelled"), _noop("skipped"), _noop("next"), _noop("continue"), _noop("train"),
    _noop("rank"), _noop("simulate"), _noop("compare"), _noop("measure"),
)  # fmt: skip

Losses = tuple[list[tuple[int, float]], int]  # (step, loss), and how many steps there will be


def iterations_of(project: Project) -> QuerySet[Iteration]:
    """Newest first, with what the list shows."""
    return project.iterations.select_related("champion", "challenger", "started_by", "control_of").order_by(
        "-number"
    )


def iteration_for(project: Project, number: int) -> Iteration:
    """The iteration of a project the user may see (`project_for` was the check).

    Raises:
        Http404: no such iteration.
    """
    iteration = (
        project.iterations.select_related(
            "champion", "challenger", "dataset_version", "started_by", "control_of"
        )
        .defer(*DatasetVersion.JOINED)
        .prefetch_related("transitions")
        .filter(number=number)
        .first()
    )
    if iteration is None:
        raise Http404(f"{project} has no iteration {number}.")
    iteration.project = project
    return iteration


def iteration_open(project: Project) -> Iteration | None:
    """The iteration that is not over, if there is one."""
    return iterations_of(project).filter(status__in=UNFINISHED).first()


@dataclass(slots=True)
class Work:
    """One kind of machine work, or the people's, within a stage."""

    kind: str
    done: int
    total: int
    unit: str
    rate: float | None = None  # per second
    time_left: float | None = None
    message: str = ""
    loss: float | None = None
    tokens_per_s: float | None = None
    running: int = 0
    retried: int = 0
    pk: int | None = None  # of its latest unit


@dataclass(slots=True)
class StageView:
    stage: str
    state: str  # done, now, waiting, paused, failed, cancelled, skipped, next
    seconds: float | None
    work: list[Work]

    @property
    def doing(self) -> str:
        return _(DOING[self.stage])

    @property
    def sign(self) -> str:
        return {"done": "✓", "now": "●", "waiting": "◐", "failed": "!", "paused": "‖", "cancelled": "×"}.get(
            self.state, "○"
        )


def stages_of(iteration: Iteration) -> list[StageView]:
    """Every stage with its state, time and work: at most three queries."""
    moves = {t.from_stage: t for t in iteration.transitions.all()}
    work = _work_by_stage(iteration)
    asked = iteration_asked(iteration) if set(ASKING) & {iteration.stage, *moves} else {}
    for stage, (kind, purpose) in ASKED_AT.items():
        answers, wanted = asked.get(purpose, (0, 0))
        if wanted and (stage == iteration.stage or stage in moves):
            work.setdefault(stage, []).insert(0, Work(kind, answers, wanted, WHAT[kind]))
    views = []
    since: datetime | None = iteration.created_at
    for stage in STAGES:
        move = moves.get(stage.value)
        until = move.at if move else (iteration.finished_at or timezone.now())
        entered = move is not None or stage.value == iteration.stage
        seconds = (until - since).total_seconds() if entered and since else None
        views.append(
            StageView(
                stage.value, _state(iteration, stage, move is not None), seconds, work.get(stage.value, [])
            )
        )
        since = move.at if move else None
    return views


def _state(iteration: Iteration, stage: Stage, left: bool) -> str:
    if left:
        return "done"
    if stage.value == iteration.stage:
        return "now" if iteration.status == Status.RUNNING.value else iteration.status
    return "skipped" if iteration.stage == Stage.DONE.value else "next"


def _work_by_stage(iteration: Iteration) -> dict[str, list[Work]]:
    rows = (
        WorkUnit.objects.filter(iteration=iteration)
        .values("stage", "kind")
        .annotate(
            units=Count("id"),
            finished=Count("id", filter=Q(state=WorkUnit.State.DONE)),
            running=Count("id", filter=Q(state=WorkUnit.State.RUNNING)),
            retried=Count("id", filter=Q(attempt__gt=1)),
            done_sum=Sum("done"),
            total_sum=Sum("total"),
            began=Min("started_at"),
            ended=Max("finished_at"),
            first_id=Min("id"),
            last_id=Max("id"),
        )
        .order_by("first_id")
    )
    latest: dict[str, WorkUnit] = {}
    if any(row["running"] for row in rows):
        running = WorkUnit.objects.filter(iteration=iteration, state=WorkUnit.State.RUNNING)
        latest = {u.kind: u for u in running.only("kind", "message", "progress").order_by("id")}
    by_stage: dict[str, list[Work]] = {}
    for row in rows:
        by_stage.setdefault(row["stage"], []).append(_work(row, latest.get(row["kind"])))
    return by_stage


def _work(row: Mapping[str, Any], live: WorkUnit | None) -> Work:
    counted = bool(row["total_sum"]) and WHAT.get(row["kind"], "") != ""
    done, total = (row["done_sum"], row["total_sum"]) if counted else (row["finished"], row["units"])
    work = Work(
        row["kind"], done, total, WHAT.get(row["kind"], "") if counted else "", running=row["running"]
    )
    work.retried, work.pk = row["retried"], row["last_id"]
    if row["began"] and counted:
        ended = row["ended"] if row["finished"] == row["units"] else timezone.now()
        elapsed = max((ended - row["began"]).total_seconds(), 0.001)
        work.rate = done / elapsed if done else None
        if work.rate and done < total:
            work.time_left = (total - done) / work.rate
    if live is not None:
        work.message = live.message
        work.loss = live.progress.get("loss")
        work.tokens_per_s = live.progress.get("tokens_per_s")
        work.time_left = live.progress.get("time_left_s", work.time_left)
    return work


def losses_of(iteration: Iteration) -> Losses:
    """(step, training loss) in order, also while it runs, and how many steps there will be."""
    points = list(
        RunPoint.objects.filter(unit__iteration=iteration, unit__kind="train", loss__isnull=False)
        .order_by("step")
        .values_list("step", "loss", "total_steps")
    )
    losses = [(step, loss) for step, loss, _ in points if loss is not None]
    return losses, points[-1][2] if points else 0


def loss_curve(losses: Losses) -> Curve | None:
    """The training loss by step; None before there is one."""
    return curve(*losses)


def funnel_of(counts: dict[str, Any]) -> list[Bar]:
    """sampled → right by the checker → accepted → trained, with what the numbers mean."""
    accepted = counts.get("accepted")
    steps: list[tuple[str, int | None, str]] = [
        (
            _("Sampled"),
            counts.get("sampled"),
            _("responses to {n} prompts").format(n=counts["prompts"]) if "prompts" in counts else "",
        ),
        (_("Verified"), counts.get("verified"), _("the checker called right")),
        (_("Accepted"), sum(accepted.values()) if accepted is not None else None, _kinds(accepted)),
        (
            _("Trained"),
            counts.get("trained"),
            _("{n} replayed from before").format(n=counts["replayed"]) if counts.get("replayed") else "",
        ),
    ]
    known = [(label, count, note) for label, count, note in steps if count is not None]
    return funnel(known, parts=[_("Verified")])  # rows are accepted of the wrong and of corrections, too


def _kinds(accepted: dict[str, int] | None) -> str:
    return ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in sorted((accepted or {}).items()))


def dropped_of(counts: dict[str, Any]) -> list[tuple[str, int]]:
    """Why things were left out, the most frequent reason first."""
    reasons = sorted((counts.get("dropped") or {}).items(), key=lambda item: (-item[1], item[0]))
    return [(told(reason.replace("_", " ")), n) for reason, n in reasons]


def may_simulate(iteration: Iteration) -> bool:
    """Only where every task's prompt is of the built-in domain, whose program knows the answer."""
    tasks = iteration.tasks.all()
    return (
        iteration.stage in ASKING
        and iteration.status == Status.WAITING.value
        and not tasks.exclude(built_in("prompt__")).exists()
        and not iteration.units.filter(kind="simulate").exclude(state=WorkUnit.State.DONE).exists()
    )


def actions_of(iteration: Iteration) -> set[str]:
    """What can be done with it now, by name (see `webapp.iterations.views.iterations.ACTIONS`)."""
    status = iteration.status
    actions: set[str] = set()
    if status in MOVING:
        actions |= {"pause", "cancel"}
    if status == Status.PAUSED.value:
        actions |= {"resume", "cancel"}
    if status == Status.FAILED.value:
        actions |= {"retry", "cancel"}
    if status == Status.WAITING.value and iteration.stage in ASKING:
        actions.add("close")
    if may_simulate(iteration):
        actions.add("simulate")
    return actions

"""What an iteration comes to, told to whoever asked: written in the transaction of the move itself."""

from datetime import timedelta
from typing import Any

from django.dispatch import receiver
from django.utils import timezone, translation

from loop.stages import Stage
from webapp.iterations.models import Iteration
from webapp.iterations.signals import decided, failed, stage_left
from webapp.metrics.alarms_page import OF_OUTCOMES, AlarmRow
from webapp.metrics.models import Alarm
from webapp.metrics.signals import alarm_fired
from webapp.notices.models import Event
from webapp.notices.services.writing import notice_add
from webapp.notices.words import decision_words

STALE = timedelta(days=1)  # after an iteration's end: an alarm found then is no news
WEIGHED_IN = (Stage.EVALUATE.value, Stage.PROMOTE.value)  # until the gate has decided


@receiver(decided, dispatch_uid="notices.decided")
def on_decided(iteration: Iteration, **_: Any) -> None:
    promoted = bool(iteration.decision.get("promote"))
    _tell(iteration, Event.PROMOTED if promoted else Event.HELD, decision_words(iteration.decision))
    if _asks_people(iteration):
        for alarm in iteration.alarms.filter(key__in=OF_OUTCOMES, seen_at=None).order_by("id"):
            _alarm(iteration, alarm)


@receiver(stage_left, dispatch_uid="notices.stage_left")
def on_stage_left(iteration: Iteration, left: Stage, **_: Any) -> None:
    if left is Stage.CURATE and iteration.stage == Stage.DONE.value:
        last = iteration.transitions.order_by("-id").first()
        _tell(iteration, Event.NOT_TRAINED, last.because if last else "")


@receiver(failed, dispatch_uid="notices.failed")
def on_failed(iteration: Iteration, why: str, **_: Any) -> None:
    _tell(iteration, Event.FAILED, why)


@receiver(alarm_fired, dispatch_uid="notices.alarm")
def on_alarm(alarm: Alarm, **_: Any) -> None:
    iteration = alarm.iteration
    if iteration.finished_at and timezone.now() - iteration.finished_at > STALE:
        return  # found while old iterations were measured anew: the alarms page has it, nobody need be woken
    if alarm.key in OF_OUTCOMES and _asks_people(iteration) and iteration.stage in WEIGHED_IN:
        return  # told with the decision: who compares blindly must not read whose answers are the longer ones
    _alarm(iteration, alarm)


def _asks_people(iteration: Iteration) -> bool:
    """Whether people may be asked to compare its models blindly."""
    return bool((iteration.recipe.get("gate") or {}).get("blind_pairs"))


def _alarm(iteration: Iteration, alarm: Alarm) -> None:
    row = AlarmRow(alarm)
    with translation.override("en"):  # as all that leaves the house
        title, what_to_do = row.title.lower(), row.what_to_do
    notice_add(
        project=iteration.project,
        event=Event.ALARM,
        key=f"alarm {iteration.pk} {alarm.key}",
        title=f"{iteration}: alarm “{title}”",
        text=f"{alarm.text} {what_to_do}",
        page=("alarms",),
        facts={
            "iteration": iteration.number,
            "recipe": iteration.recipe_name,
            "alarm": {"key": alarm.key, "level": alarm.level, "metric": alarm.metric, **alarm.facts},
        },
    )


_TITLES = {
    Event.PROMOTED: "promoted",
    Event.HELD: "held",
    Event.NOT_TRAINED: "ended with nothing to train",
    Event.FAILED: "failed",
}


def _tell(iteration: Iteration, event: Event, text: str) -> None:
    if iteration.arm != Iteration.Arm.MAIN and event is not Event.FAILED:
        return  # a control arm is an experiment: that it is held is no news
    # A stage that is tried again and fails again is told again: its units' attempts are new ones.
    again = iteration.project.audit_events.filter(verb="stage retried", target=str(iteration))
    nth = again.count() if event is Event.FAILED else 0
    notice_add(
        project=iteration.project,
        event=event,
        key=f"iteration {iteration.pk} {event.value}" + (f" {nth}" if nth else ""),
        title=f"{iteration} {_TITLES[event]}",
        text=text,
        page=("iteration", iteration.number),
        facts={
            "iteration": iteration.number,
            "recipe": iteration.recipe_name,
            "challenger": iteration.challenger.name if iteration.challenger else None,
            "decision": {
                k: iteration.decision[k]
                for k in ("promote", "effect", "ci95", "p_value", "n", "before", "after", "reasons")
                if k in iteration.decision
            },
        },
    )

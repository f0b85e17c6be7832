"""The state machine: one compare-and-swap move, and the tick that looks whether a move is due.

The order of stages is data in `loop.stages.NEXT`; what each stage plans and when it is over is in
`webapp.iterations.services.stages`.
"""

from __future__ import annotations

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from loop.stages import NEXT, OPEN, Stage, Status
from webapp.events import notify
from webapp.iterations.models import Iteration, Transition
from webapp.iterations.services import stages
from webapp.iterations.signals import failed, stage_left

log = structlog.get_logger()


class IllegalTransition(Exception):
    """The transition table has no such move."""


def iteration_advance(*, iteration: Iteration, from_: Stage, to: Stage, because: str) -> bool:
    """Move an iteration, exactly once. False when somebody else moved it first, or it is not open.

    Raises:
        IllegalTransition: ``to`` does not follow ``from_``.
    """
    if to not in NEXT[from_]:
        raise IllegalTransition(f"{from_.value} is not followed by {to.value}")
    with transaction.atomic():
        # The where clause is the swap: of two racers, the second finds no row.
        moved = Iteration.objects.filter(pk=iteration.pk, stage=from_.value, status__in=OPEN).update(
            stage=to.value,
            status=(Status.DONE if to is Stage.DONE else Status.RUNNING).value,
            finished_at=timezone.now() if to is Stage.DONE else None,
        )
        if not moved:
            return False
        Transition.objects.create(
            iteration=iteration, from_stage=from_.value, to_stage=to.value, because=because
        )
        iteration.refresh_from_db()
        stage_left.send(sender=Iteration, iteration=iteration, left=from_)
        stages.enter(iteration)
        notify(project_id=iteration.project_id, iteration_id=iteration.pk, what="stage")
    return True


def iteration_tick(*, iteration_id: int) -> int:
    """Make every move that is due now; returns how many. Safe to call at any time by anyone.

    A move that cannot be made (a recipe that is not valid any more, a measurement that is missing)
    fails the iteration with the sentence that says why; a retry tries the move again.
    """
    moves = 0
    try:
        while _move_if_due(iteration_id):
            moves += 1
    except (OperationalError, InterfaceError):
        raise  # the database is away, not the iteration wrong: the next tick tries again
    except Exception as error:
        log.exception("iteration cannot move on", iteration=iteration_id)
        _fail(iteration_id, f"{type(error).__name__}: {error}")
    return moves


@transaction.atomic
def _move_if_due(iteration_id: int) -> bool:
    # Skip when another tick holds the row: it will see what we saw. No key lock: a worker that stores
    # responses refers to the row, and must neither wait for a tick nor make one look away.
    iteration = (
        Iteration.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        .select_related("project", "champion", "control_of")
        .filter(pk=iteration_id, status__in=OPEN)
        .first()
    )
    if iteration is None:
        return False
    due = stages.due(iteration)
    if due is None:
        return False
    to, because = due
    return iteration_advance(iteration=iteration, from_=Stage(iteration.stage), to=to, because=because)


@transaction.atomic
def _fail(iteration_id: int, why: str) -> None:
    iteration = Iteration.objects.select_for_update(no_key=True).get(pk=iteration_id)
    if iteration.status in OPEN:
        iteration.status = Status.FAILED.value
        iteration.problem = f"{iteration.stage}: {why}"[:2000]
        iteration.save(update_fields=["status", "problem"])
        failed.send(sender=Iteration, iteration=iteration, why=iteration.problem)
        notify(project_id=iteration.project_id, iteration_id=iteration_id, what="failed")


def open_iterations_tick() -> int:
    """Tick every open iteration: a lost message delays the loop and never stops it."""
    ids = list(Iteration.objects.filter(status__in=OPEN).order_by("pk").values_list("pk", flat=True))
    return sum(iteration_tick(iteration_id=pk) for pk in ids)

"""The state machine: one compare-and-swap move, and the tick that looks whether a move is due.

The order of stages is data in `loop.stages.NEXT`; what each stage plans and when it is over is in
`webapp.iterations.services.stages`.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from loop.stages import NEXT, OPEN, Stage, Status
from webapp.events import notify
from webapp.iterations.models import Iteration, Transition
from webapp.iterations.services import stages


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
        stages.enter(iteration)
        notify(project_id=iteration.project_id, iteration_id=iteration.pk, what="stage")
    return True


def iteration_tick(*, iteration_id: int) -> int:
    """Make every move that is due now; returns how many. Safe to call at any time by anyone."""
    moves = 0
    while True:
        with transaction.atomic():
            # Skip when another tick holds the row: it will see what we saw.
            iteration = (
                Iteration.objects.select_for_update(skip_locked=True, of=("self",))
                .select_related("project", "champion", "control_of")
                .filter(pk=iteration_id, status__in=OPEN)
                .first()
            )
            if iteration is None:
                return moves
            due = stages.due(iteration)
            if due is None:
                return moves
            to, because = due
            moves += iteration_advance(
                iteration=iteration, from_=Stage(iteration.stage), to=to, because=because
            )


def open_iterations_tick() -> int:
    """Tick every open iteration: a lost message delays the loop and never stops it."""
    ids = list(Iteration.objects.filter(status__in=OPEN).order_by("pk").values_list("pk", flat=True))
    return sum(iteration_tick(iteration_id=pk) for pk in ids)

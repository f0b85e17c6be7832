"""The one Celery task: look for work on a queue and do it until there is none.

The message carries nothing but the queue's name; the work unit row is the truth.
"""

from __future__ import annotations

import importlib
from typing import Any

import structlog
from celery import shared_task
from django.db import close_old_connections

from webapp.iterations.services import LeaseLost, unit_claim, unit_fail, unit_release
from workers import beat, leaving, waiting, warm
from workers.lease import DATABASE_GONE, Lease, Postponed, Stopped, patiently

log = structlog.get_logger()


@shared_task(name="workers.look")
def look(queue: str) -> None:
    """Claim and do units of ``queue`` until none is free, or this worker is told to end.

    A person who waits for a model comes before any unit that needs the model.
    """
    close_old_connections()
    while not leaving.asked():
        if queue == warm.MODEL and patiently(waiting.take):
            continue
        if (unit := patiently(lambda: unit_claim(queue=queue))) is None:
            break
        work(unit.pk, unit.token, unit.kind)
    close_old_connections()


def work(unit_id: int, token: Any, kind: str) -> None:
    """Do one claimed unit; every way it can end leaves the row in a state that says so."""
    from webapp.iterations.selectors import unit_for_work

    unit = unit_for_work(unit_id)
    unit.token = token  # ours, not what the row holds now: it may have been taken over since the claim
    stage = importlib.import_module(f"workers.stages.{'continuation' if kind == 'continue' else kind}")
    context = structlog.contextvars.bound_contextvars(unit=unit_id, kind=kind, iteration=unit.iteration_id)
    with context, beat.counts.working(unit_id), Lease(unit_id, token) as lease:
        try:
            stage.run(unit, lease)
            beat.counts.add(done=1)
        except Stopped:
            patiently(lambda: unit_release(unit_id=unit_id, token=token))
        except Postponed as why:
            log.warning("postponed", why=str(why))
        except LeaseLost as lost:
            log.warning("results dropped", why=str(lost))
        except DATABASE_GONE:
            # Nothing was written. The lease runs out and somebody takes the unit again.
            log.exception("the database stayed unreachable")
        except Exception as error:
            log.exception("unit failed")
            if leaving.asked():  # things break when a process ends; that is not the unit's fault
                patiently(lambda: unit_release(unit_id=unit_id, token=token))
                return
            beat.counts.add(failed=1)
            sentence = f"{type(error).__name__}: {error}"[:1000]
            patiently(lambda: unit_fail(unit_id=unit_id, token=token, error=sentence))

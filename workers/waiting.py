"""What people wait for a model to write: before batch work, and between the decoding steps of it.

An idle worker is woken by the broker and takes what waits first (`take`). A busy one looks up between
decoding steps (`Interlude`, hung into every engine by `workers.models`): what waits is written on the
same engine, and the batch goes on as if nothing had been, because every row draws by its own seed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from uuid import UUID

import structlog
from django.db import connection

from loop.model import (
    Completion,
    Engine,
    GenerateRequest,
    RewardRequest,
    ScoredText,
    ScoreRequest,
    Watch,
)
from workers import leaving
from workers.lease import DATABASE_GONE, Stopped, patiently

log = structlog.get_logger()

PAUSE = 0.25  # seconds between two looks up from a batch, and between two partial texts
BEAT = 4.0  # seconds between signs of life while a model loads or reads

_at_it = threading.local()  # whether this thread is writing for somebody now


class Lost(Exception):
    """Cancelled, or another worker has it: what was written must be dropped."""


class Kind(Protocol):
    """A module for one kind of such rows. ``LOST``: what its ``write`` raises when the row is not ours."""

    LOST: type[Exception]

    def claim(self, base: str | None) -> tuple[UUID, UUID] | None:
        """(row, fencing token) of the one that has waited longest, among those on ``base`` if it is given."""

    def write(self, pk: UUID, token: UUID, life: Life) -> None: ...

    def heartbeat(self, *, pk: UUID, token: UUID, partial: Sequence[str] | None = None) -> bool: ...

    def fail(self, *, pk: UUID, token: UUID, error: str) -> None: ...

    def release(self, *, pk: UUID, token: UUID) -> None: ...


def kinds() -> tuple[Kind, ...]:
    from workers import alternatives, playground

    return (alternatives, playground)  # who annotates comes before who plays


def take(base: str | None = None) -> bool:
    """Write what has waited longest (of models on ``base``); False when nothing waits."""
    if getattr(_at_it, "now", False) or leaving.asked():
        return False
    _at_it.now = True
    try:
        for kind in kinds():
            if (claimed := kind.claim(base)) is not None:
                with structlog.contextvars.bound_contextvars(waiting=str(claimed[0])):
                    work(kind, *claimed)
                return True
        return False
    finally:
        _at_it.now = False


def work(kind: Kind, pk: UUID, token: UUID) -> None:
    """Write one claimed request; every way it can end leaves the row in a state that says so."""
    with Life(kind, pk, token) as life:
        try:
            kind.write(pk, token, life)
        except Stopped:
            kind.release(pk=pk, token=token)
        except (Lost, kind.LOST) as lost:
            log.info("what was written is dropped", why=str(lost))
        except DATABASE_GONE:
            log.exception("the database stayed unreachable")  # the lease runs out, somebody takes it again
        except Exception as error:
            log.exception("writing for a person failed")
            sentence = f"{type(error).__name__}: {error}"
            patiently(lambda: kind.fail(pk=pk, token=token, error=sentence))


class Life:
    """Keeps a claimed request alive and shows how far it has come."""

    def __init__(self, kind: Kind, pk: UUID, token: UUID) -> None:
        self.kind, self.pk, self.token = kind, pk, token
        self._lost = False
        self._shown_at = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"waiting-{pk}", daemon=True)

    def __enter__(self) -> Life:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def watch(self, so_far: Callable[[], list[list[str]]]) -> None:
        """For an engine: shows the texts so far, not too often.

        Raises:
            Lost: cancelled, or taken over. Stopped: this worker is to end.
        """
        if leaving.asked():
            raise Stopped("this worker was told to end")
        if time.monotonic() - self._shown_at >= PAUSE:
            self._shown_at = time.monotonic()
            texts = [text for of_one in so_far() for text in of_one]
            self._lost |= not self.kind.heartbeat(pk=self.pk, token=self.token, partial=texts)
        if self._lost:
            raise Lost("cancelled or taken over")

    def _beat(self) -> None:
        try:
            while not self._over.wait(BEAT):
                try:
                    self._lost |= not self.kind.heartbeat(pk=self.pk, token=self.token)
                except DATABASE_GONE as error:
                    log.warning("sign of life failed, trying again", error=str(error))
                    connection.close()
        finally:
            connection.close()  # this thread's own


class Watched:
    """An engine whose writing is watched, call after call."""

    def __init__(self, engine: Engine, watch: Watch) -> None:
        self.engine, self.name, self._watch = engine, engine.name, watch
        self.token_spans: Any = getattr(engine, "token_spans", None)
        self._before: list[list[str]] = []  # what earlier calls wrote

    def generate(
        self, requests: Sequence[GenerateRequest], *, watch: Watch | None = None
    ) -> list[list[Completion]]:
        before = self._before
        written = self.engine.generate(
            requests, watch=watch or (lambda so_far: self._watch(lambda: before + so_far()))
        )
        self._before = before + [[c.text for c in of_one] for of_one in written]
        return written

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoredText]:
        return self.engine.score(requests)

    def reward(self, requests: Sequence[RewardRequest]) -> list[tuple[float, ...]]:
        return self.engine.reward(requests)


class Interlude:
    """What an engine on ``base`` calls between decoding steps.

    One cheap question now and then. Afterwards the batch has at least as long as the interlude took:
    people who ask all the time slow batch work to half its speed, not to a standstill.
    """

    def __init__(self, base: str) -> None:
        self.base = base
        self._due = 0.0

    def __call__(self) -> None:
        started = time.monotonic()
        if started < self._due:
            return
        try:
            take(self.base)
        except DATABASE_GONE:
            connection.close()  # the batch needs no database until it is done
        except Exception:
            log.exception("interlude failed")
        now = time.monotonic()
        self._due = now + max(PAUSE, now - started)

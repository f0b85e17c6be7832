"""Alternatives for somebody who waits: before batch work, and between the decoding steps of it.

An idle worker is woken by the broker and takes requests first (`take`). A busy one looks up between
decoding steps (`Interlude`, hung into every engine by `workers.models`): what waits is written on the
same engine, and the batch goes on as if nothing had been, because every row draws by its own seed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import structlog
from django.db import connection

from loop.dialects import dialect_named
from loop.model import Completion, Engine, GenerateRequest, ScoredText, ScoreRequest, Watch
from loop.records import Sampling
from loop.runtime import run_method
from loop.sample.alternatives import TEMPERATURE, alternatives
from webapp.annotate.alternatives import regeneration_for_work
from webapp.annotate.services import (
    RegenerationLost,
    regeneration_claim,
    regeneration_fail,
    regeneration_finish,
    regeneration_heartbeat,
    regeneration_release,
)
from workers import leaving
from workers.lease import DATABASE_GONE, Stopped, patiently

log = structlog.get_logger()

PAUSE = 0.25  # seconds between two looks up from a batch, and between two partial texts
BEAT = 4.0  # seconds between signs of life while a model loads or reads
ROOM = 256  # new tokens, where the original says nothing of its own room

_at_it = threading.local()  # whether this thread is writing alternatives now


def take(base: str | None = None) -> bool:
    """Write the alternatives that have waited longest (of models on ``base``); False when none wait."""
    if getattr(_at_it, "now", False) or leaving.asked():
        return False
    _at_it.now = True
    try:
        row = regeneration_claim(base=base)
        if row is None or row.token is None:
            return False
        with structlog.contextvars.bound_contextvars(regeneration=str(row.pk)):
            work(row.pk, row.token)
        return True
    finally:
        _at_it.now = False


def work(pk: UUID, token: UUID) -> None:
    """Write one claimed request; every way it can end leaves the row in a state that says so."""
    with _Life(pk, token) as life:
        try:
            _write(pk, token, life)
        except Stopped:
            regeneration_release(pk=pk, token=token)
        except RegenerationLost as lost:
            log.info("alternatives dropped", why=str(lost))
        except DATABASE_GONE:
            log.exception("the database stayed unreachable")  # the lease runs out, somebody takes it again
        except Exception as error:
            log.exception("alternatives failed")
            sentence = f"{type(error).__name__}: {error}"
            patiently(lambda: regeneration_fail(pk=pk, token=token, error=sentence))


def _write(pk: UUID, token: UUID, life: _Life) -> None:
    from workers.models import engine_with

    row = regeneration_for_work(pk)
    version, response = row.model_version, row.response
    if version is None:
        raise LookupError("no model was named for it")
    corrections = {int(step): text for step, text in row.corrections.items()}
    room = response.sampling.get("max_new_tokens") or ROOM
    (trace,) = run_method(
        alternatives(response.record(tokens=False), row.step, row.count, corrections),
        [response.prompt.record()],
        _Watched(engine_with(version), life.watch),
        Sampling(temperature=TEMPERATURE, max_new_tokens=room),
        dialect=dialect_named(version.dialect),
        model_name=version.name,
        adapter=version.adapter_name,
        run_key=f"regeneration/{pk}",
    )
    if trace.error:
        raise RuntimeError(trace.error)
    patiently(lambda: regeneration_finish(pk=pk, token=token, trace=trace))


class _Life:
    """Keeps a claimed request alive and shows how far it has come."""

    def __init__(self, pk: UUID, token: UUID) -> None:
        self.pk, self.token = pk, token
        self._lost = False
        self._shown_at = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"alternatives-{pk}", daemon=True)

    def __enter__(self) -> _Life:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def watch(self, so_far: Callable[[], list[list[str]]]) -> None:
        """For an engine: shows the texts so far, not too often.

        Raises:
            RegenerationLost: cancelled, or taken over. Stopped: this worker is to end.
        """
        if leaving.asked():
            raise Stopped("this worker was told to end")
        if time.monotonic() - self._shown_at >= PAUSE:
            self._shown_at = time.monotonic()
            texts = [text for of_one in so_far() for text in of_one]
            self._lost |= not regeneration_heartbeat(pk=self.pk, token=self.token, partial=texts)
        if self._lost:
            raise RegenerationLost("cancelled or taken over")

    def _beat(self) -> None:
        try:
            while not self._over.wait(BEAT):
                try:
                    self._lost |= not regeneration_heartbeat(pk=self.pk, token=self.token)
                except DATABASE_GONE as error:
                    log.warning("sign of life failed, trying again", error=str(error))
                    connection.close()
        finally:
            connection.close()  # this thread's own


class _Watched:
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


class Interlude:
    """What an engine on ``base`` calls between decoding steps.

    One cheap question now and then. Afterwards the batch has at least as long as the alternatives took:
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

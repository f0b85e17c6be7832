"""Alternatives from a step on, for somebody who annotates: one kind of what `workers.waiting` takes."""

from __future__ import annotations

from uuid import UUID

from loop.dialects import dialect_named
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
from workers.lease import patiently
from workers.waiting import Life, Watched

LOST: type[Exception] = RegenerationLost
heartbeat, fail, release = regeneration_heartbeat, regeneration_fail, regeneration_release
ROOM = 256  # new tokens, where the original says nothing of its own room


def claim(base: str | None) -> tuple[UUID, UUID] | None:
    row = regeneration_claim(base=base)
    return None if row is None or row.token is None else (row.pk, row.token)


def write(pk: UUID, token: UUID, life: Life) -> None:
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
        Watched(engine_with(version), life.watch),
        Sampling(temperature=TEMPERATURE, max_new_tokens=room),
        dialect=dialect_named(version.dialect),
        model_name=version.name,
        adapter=version.adapter_name,
        run_key=f"regeneration/{pk}",
    )
    if trace.error:
        raise RuntimeError(trace.error)
    patiently(lambda: regeneration_finish(pk=pk, token=token, trace=trace))

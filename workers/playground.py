"""Answers in the playground: one kind of what `workers.waiting` takes."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from loop.model import Completion, GenerateRequest
from loop.records import Message, Sampling
from webapp.playground.selectors import said_before, turn_for_work
from webapp.playground.services import (
    TurnLost,
    turn_claim,
    turn_fail,
    turn_finish,
    turn_heartbeat,
    turn_release,
)
from workers.lease import patiently
from workers.waiting import Life, Watched

LOST: type[Exception] = TurnLost
heartbeat, fail, release = turn_heartbeat, turn_fail, turn_release


def claim(base: str | None) -> tuple[UUID, UUID] | None:
    row = turn_claim(base=base)
    return None if row is None or row.token is None else (row.pk, row.token)


def write(pk: UUID, token: UUID, life: Life) -> None:
    """Both sides answer the same message, each on what it itself said before.

    Sides on one base are one request to its engine; another base is loaded after the first has answered.
    """
    turn = turn_for_work(pk)
    session = turn.session
    earlier = said_before(turn)
    sampling = Sampling(temperature=session.temperature, max_new_tokens=session.max_new_tokens)
    versions = [version for version in (session.left, session.right) if version is not None]
    requests = []
    for side, version in enumerate(versions):
        talk = [m for said in earlier for m in _exchange(said, side)]
        messages = (*talk, Message("user", turn.text))
        requests.append(GenerateRequest(messages, sampling, (_seed(pk, side),), adapter=version.adapter_name))
    written: list[Completion] = []
    if len({version.base for version in versions}) == 1:
        written = _written(versions, requests, life)
    else:
        for version, request in zip(versions, requests, strict=True):
            before = [[done.text] for done in written]
            written += _written([version], [request], life, before)
    answers = [{"text": c.text, "finish": c.finish, "tokens": len(c.token_ids)} for c in written]
    patiently(lambda: turn_finish(pk=pk, token=token, answers=answers))


def _written(
    versions: list[Any], requests: list[GenerateRequest], life: Life, before: list[list[str]] | None = None
) -> list[Completion]:
    """One completion per request, from the one engine that has all these versions' adapters."""
    from workers.models import engine_with

    for version in versions:
        engine = engine_with(version)  # the same one each time: they share the base
    watched = Watched(engine, lambda so_far: life.watch(lambda: (before or []) + so_far()))
    return [of_one[0] for of_one in watched.generate(requests)]


def _exchange(said: Any, side: int) -> tuple[Message, Message]:
    return Message("user", said.text), Message("assistant", said.answers[side]["text"])


def _seed(pk: UUID, side: int) -> int:
    """The same when the turn is written again; another for each side."""
    digest = hashlib.blake2b(f"{pk}/{side}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) >> 1  # 31 bits: every engine takes that

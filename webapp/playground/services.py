"""The playground's writes: starting a talk, saying something, voting; and the worker's side of a turn."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max, Q
from django.utils.translation import gettext as _

from webapp import broker
from webapp.accounts.models import User
from webapp.annotate.leased import LIVE, QUEUE, Requests, State
from webapp.playground import selectors
from webapp.playground.models import Session, Turn, Vote
from webapp.projects.models import AuditEvent, Project
from webapp.registry.models import ModelVersion

LONGEST = 20_000  # characters of a message
REQUESTS = Requests(Turn, "turn", topic="session_id")


class PlaygroundError(Exception):
    """What cannot be done now; the message says why and what to do."""


class TurnLost(Exception):
    """Cancelled, or another worker has it: what was written must be dropped."""


def session_start(
    *,
    project: Project,
    by: User,
    versions: list[ModelVersion],
    blind: bool = False,
    temperature: float = 0.7,
    max_new_tokens: int = 256,
) -> Session:
    """A new talk with one or two versions. In a blind one chance says who is left.

    Raises:
        PlaygroundError: not one or two different versions that write, or a blind talk with only one.
    """
    if not 1 <= len({v.pk for v in versions}) == len(versions) <= 2:
        raise PlaygroundError(_("Choose one version, or two different ones."))
    for version in versions:
        if version not in selectors.voices_of(project):
            raise PlaygroundError(_("{name} cannot be talked to.").format(name=version.name))
    if blind and len(versions) == 1:
        raise PlaygroundError(_("A blind talk needs two versions: with one there is nothing to hide."))
    sides = random.sample(versions, len(versions)) if blind else versions
    return Session.objects.create(
        project=project,
        author=by,
        left=sides[0],
        right=sides[1] if len(sides) == 2 else None,
        blind=blind,
        temperature=temperature,
        max_new_tokens=max_new_tokens,
    )


def session_again(*, session: Session, by: User) -> Session:
    """A new talk with the same versions and settings; a blind one is shuffled anew."""
    return session_start(
        project=session.project,
        by=by,
        versions=[v for v in (session.left, session.right) if v],
        blind=session.blind,
        temperature=session.temperature,
        max_new_tokens=session.max_new_tokens,
    )


def turn_ask(*, session: Session, by: User, text: str) -> Turn:
    """Say something to both sides. A person may wait for one answer at a time.

    Raises:
        PlaygroundError: nothing said, too much said, or an answer is still awaited (here or elsewhere).
    """
    text = text.replace("\0", "").strip()
    if not text:
        raise PlaygroundError(_("There is no message yet. Write one."))
    if len(text) > LONGEST:
        raise PlaygroundError(
            _("The message has {n} characters; at most {most} can be sent.").format(n=len(text), most=LONGEST)
        )
    try:
        with transaction.atomic():
            # Locked, so that two messages at once get two numbers; the second is then refused as open.
            Session.objects.select_for_update(of=("self",)).get(pk=session.pk)
            number = (session.turns.aggregate(m=Max("number"))["m"] or 0) + 1
            turn = Turn.objects.create(
                project_id=session.project_id, session=session, author=by, number=number, text=text
            )
            transaction.on_commit(lambda: broker.announce(QUEUE), robust=True)
            return turn
    except IntegrityError as error:
        raise PlaygroundError(
            _("You are waiting for an answer already. Let it come, or cancel it; then send this.")
        ) from error


@transaction.atomic
def turn_cancel(*, session: Session, by: User) -> bool:
    """Stop waiting for this talk's open answer; its worker stops. False when none was awaited."""
    turns = Turn.objects.select_for_update(of=("self",))
    row = turns.filter(session=session, author=by, state__in=LIVE).first()
    if row is None:
        return False
    REQUESTS.close(row, State.CANCELLED)
    return True


@transaction.atomic
def vote_cast(*, session: Session, by: User, choice: str) -> Vote:
    """Say which side was better; the names are shown from then on.

    Raises:
        PlaygroundError: not blind, voted already, or nothing was answered yet.
    """
    if choice not in Vote.Choice.values:
        raise PlaygroundError(_("Choose one of the two sides, a tie, or both bad."))
    session = Session.objects.select_for_update(of=("self",)).get(pk=session.pk)
    if not session.blind:
        raise PlaygroundError(_("Votes count in blind talks only: names sway."))
    if Vote.objects.filter(session=session).exists():
        raise PlaygroundError(_("You have voted on this talk. Start another to vote again."))
    if session.turns.filter(state__in=LIVE).exists():
        raise PlaygroundError(_("An answer is still being written. Vote once both are there."))
    if not session.turns.filter(state=State.DONE).exists():
        raise PlaygroundError(_("There is nothing to vote on yet. Send a message first."))
    vote = Vote.objects.create(session=session, project_id=session.project_id, choice=choice)
    AuditEvent.objects.create(
        project_id=session.project_id,
        actor=by,
        verb="playground vote",
        target=str(session.pk),
        data={"left": session.left_id, "right": session.right_id, "choice": choice},
    )
    return vote


# ---- the worker's side -----------------------------------------------------------------------------------


def turn_claim(*, base: str | None = None) -> Turn | None:
    """The oldest turn that waits, claimed. ``base``: only where every side is an adapter of this base."""
    if base is None:
        return REQUESTS.claim()
    on_base = Q(session__left__base=base) & (Q(session__right=None) | Q(session__right__base=base))
    return REQUESTS.claim(on_base)


def turn_heartbeat(*, pk: UUID, token: UUID, partial: Iterable[str] | None = None) -> bool:
    """Extend the lease and show what is written so far. False: it is not the worker's any more."""
    return REQUESTS.heartbeat(pk=pk, token=token, partial=partial)


@transaction.atomic
def turn_finish(*, pk: UUID, token: UUID, answers: Iterable[Mapping[str, Any]]) -> None:
    """Keep what the sides answered: {"text", "finish", "tokens"} for the left, then the right.

    Raises:
        TurnLost: cancelled, or taken over: nothing is kept.
    """
    row = REQUESTS.held(pk, token)
    if row is None:
        raise TurnLost(f"turn {pk} was cancelled or taken over")
    row.answers = [{**answer, "text": answer["text"].replace("\0", "\ufffd")} for answer in answers]
    row.save(update_fields=["answers"])
    REQUESTS.close(row, State.DONE)


def turn_fail(*, pk: UUID, token: UUID, error: str) -> None:
    """Record that it cannot be done, in a sentence for the person who waits."""
    REQUESTS.fail(pk=pk, token=token, error=error)


def turn_release(*, pk: UUID, token: UUID) -> None:
    """Give it back unfinished (the worker is told to end). It does not count as an attempt."""
    REQUESTS.release(pk=pk, token=token)


def turns_sweep(*, now: datetime) -> int:
    """Close what cannot be done any more, and call again for what still waits. Returns how many wait."""
    waiting = REQUESTS.sweep(now)
    if waiting and not selectors.worker_busy(now):
        broker.announce(QUEUE)
    return waiting

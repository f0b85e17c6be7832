"""The playground's reads: whom one may talk to, one's talks, how long they wait, whom people preferred."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loop.evaluate.rates import Rate, accuracy
from webapp.accounts.models import User
from webapp.annotate import alternatives
from webapp.annotate.leased import LIVE, State
from webapp.playground.models import Session, Turn, Vote
from webapp.projects.models import Project
from webapp.registry.models import ModelVersion

Choice = Vote.Choice


def voices_of(project: Project) -> QuerySet[ModelVersion]:
    """Versions that can be talked to, newest first: they write, and their weights are there."""
    writing = project.model_versions.filter(role=ModelVersion.Role.POLICY, weights_removed_at=None)
    return writing.order_by("-number")


def sessions_of(project: Project, author: User) -> QuerySet[Session]:
    """A person's own talks, newest first, with how many messages and the first of them."""
    first = Turn.objects.filter(session=OuterRef("pk"), number=1).values("text")[:1]
    mine = Session.objects.filter(project=project, author=author)
    return (
        mine.select_related("left", "right", "vote")
        .annotate(turns_n=Count("turns"), first=Subquery(first))
        .order_by("-created_at")
    )


def session_for(project: Project, author: User, pk: UUID) -> Session:
    """One of a person's own talks, with what was said.

    Raises:
        Http404: not theirs.
    """
    rows = Session.objects.select_related("project", "left", "right", "vote")
    said = Prefetch("turns", Turn.objects.order_by("number"))
    session = rows.prefetch_related(said).filter(project=project, author=author, pk=pk).first()
    if session is None:
        raise Http404(f"{author} has no such talk in {project}.")
    return session


def turn_for_work(pk: UUID) -> Turn:
    """A turn with all that a worker needs to answer it."""
    return Turn.objects.select_related("session__left", "session__right").get(pk=pk)


def said_before(turn: Turn) -> list[Turn]:
    """The talk's earlier turns that were answered, in order."""
    earlier = Turn.objects.filter(session=turn.session_id, number__lt=turn.number, state=State.DONE)
    return list(earlier.order_by("number"))


def worker_busy(now: datetime) -> bool:
    """Whether a model worker is seen at work: on a turn, an alternative, or a unit of batch work."""
    at_it = Turn.objects.filter(state=State.RUNNING, lease_until__gte=now).exists()
    return at_it or alternatives.worker_busy(now)


def words_for(turn: Turn) -> str:
    """How the wait is put in words."""
    if turn.state == State.RUNNING:
        return _("Writing…") if any(turn.partial) else _("The model reads…")
    now = timezone.now()
    if not worker_busy(now):
        if now - turn.created_at > alternatives.NO_WORKER_AFTER:
            return _("No model worker answers. Your message is kept; somebody has to start one.")
        return _("Asking the model…")
    before = Turn.objects.filter(state__in=LIVE, created_at__lt=turn.created_at).count()
    if not before:
        return _("The model is busy; yours is next.")
    words = ngettext(
        "The model is busy; {n} request comes before yours.",
        "The model is busy; {n} requests come before yours.",
        before,
    )
    return words.format(n=before)


@dataclass(frozen=True, slots=True)
class Preferred:
    """Blind votes between two versions. ``share``: of the newer, among the votes for one of them."""

    older: ModelVersion
    newer: ModelVersion
    votes: int
    for_older: int
    for_newer: int
    ties: int
    both_bad: int
    share: Rate


def preferences_of(project: Project) -> list[Preferred]:
    """Every pair that was voted on, the newest versions first; two queries."""
    rows = (
        Vote.objects.filter(project=project)
        .values_list("session__left_id", "session__right_id", "choice")
        .annotate(n=Count("id"))
    )
    votes: dict[tuple[int, int], Counter[str]] = {}
    for left, right, choice, n in rows:
        pair = (min(left, right), max(left, right))
        winner = {Choice.LEFT: left, Choice.RIGHT: right}.get(Choice(choice))
        name = choice if winner is None else "newer" if winner == pair[1] else "older"
        votes.setdefault(pair, Counter())[name] += n
    versions = project.model_versions.in_bulk([pk for pair in votes for pk in pair])
    return [
        Preferred(
            versions[older],
            versions[newer],
            sum(n.values()),
            n["older"],
            n["newer"],
            n[Choice.TIE],
            n[Choice.BOTH_BAD],
            accuracy([True] * n["newer"] + [False] * n["older"]),
        )
        for (older, newer), n in sorted(votes.items(), reverse=True)
    ]

"""What a person waits for a model to write: a leased row like a work unit, taken before batch work.

The row is the truth. A worker claims it with ``SKIP LOCKED`` and gets a fencing token; every write of results
checks it. Partial texts are shown while it is written. Who waits hears of each change by a topic.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID, uuid4

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from webapp.events import notify
from webapp.projects.models import Project

QUEUE = "model"  # where the workers listen that take them
MOST_ATTEMPTS = 3  # a row whose worker died this often is taken for the killer
PATIENCE = timedelta(minutes=10)  # a request that nobody took for so long has lost its person
UNHEARD = timedelta(seconds=2)  # after so long the wake-up is sent again


class LeasedRequest(models.Model):
    """The columns of such a row. ``token`` fences late workers."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    partial = models.JSONField(default=list, help_text="What is written so far, one text per alternative.")
    error = models.TextField(blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    project: models.ForeignKey[Project, Project]
    project_id: int

    class Meta:
        abstract = True


State = LeasedRequest.State
LIVE = (State.QUEUED, State.RUNNING)
R = TypeVar("R", bound=LeasedRequest)


@dataclass(frozen=True, slots=True)
class Requests(Generic[R]):
    """The writes that all tables of such rows share. ``topic`` is the column whose value its waiters hear."""

    model: type[R]
    what: str
    topic: str = "id"

    def claim(self, wanted: Q | None = None) -> R | None:
        """The oldest that waits, or whose worker's lease ran out, claimed; None when there is none."""
        while True:
            now = timezone.now()
            waiting = self._rows.filter(free(now), wanted or Q())
            if not waiting.exists():  # asked four times a second by a busy worker: no transaction, no lock
                return None
            with transaction.atomic():
                locked = waiting.select_for_update(skip_locked=True, of=("self",))
                row = locked.order_by("created_at", "id").first()
                if row is None:
                    return None
                if row.attempt >= MOST_ATTEMPTS:
                    self._give_up(row)
                    continue
                row.state, row.token, row.attempt = State.RUNNING, uuid4(), row.attempt + 1
                row.lease_until, row.partial = _lease_end(now), []
                row.started_at = row.started_at or now
                row.save(update_fields=["state", "token", "attempt", "lease_until", "partial", "started_at"])
                self.tell(row)
                return row

    def heartbeat(self, *, pk: UUID, token: UUID, partial: Iterable[str] | None = None) -> bool:
        """Extend the lease and show what is written so far. False: it is not the worker's any more."""
        changes: dict[str, object] = {"lease_until": _lease_end(timezone.now())}
        held = self._rows.filter(pk=pk, token=token, state=State.RUNNING)
        if partial is None:
            return bool(held.update(**changes))
        # A character cut in two decodes to the mark for what cannot be shown; NUL no database text may hold.
        changes["partial"] = [text.replace("\0", "").rstrip("\ufffd") for text in partial]
        with transaction.atomic():
            going_on = bool(held.update(**changes))
            if going_on:
                project_id, topic = held.values_list("project_id", self.topic).get()
                notify(project_id=project_id, topic=str(topic), what=self.what)
        return going_on

    def held(self, pk: UUID, token: UUID, *related: str) -> R | None:
        """The row, locked, if ``token`` still is its worker's."""
        rows = self._rows.select_for_update(of=("self",)).select_related(*related)
        return rows.filter(pk=pk, token=token, state=State.RUNNING).first()

    @transaction.atomic
    def fail(self, *, pk: UUID, token: UUID, error: str) -> None:
        """Record that it cannot be done, in a sentence for the person who waits."""
        if row := self.held(pk, token):
            self.close(row, State.FAILED, error)

    def release(self, *, pk: UUID, token: UUID) -> None:
        """Give it back unfinished (the worker is told to end). It does not count as an attempt."""
        self._rows.filter(pk=pk, token=token, state=State.RUNNING).update(
            state=State.QUEUED, token=None, lease_until=None, attempt=F("attempt") - 1, partial=[]
        )

    def close(self, row: R, state: str, error: str = "") -> None:
        row.state, row.error, row.token, row.lease_until = state, error[:1000], None, None
        row.finished_at = timezone.now()
        row.save(update_fields=["state", "error", "token", "lease_until", "finished_at"])
        self.tell(row)

    def sweep(self, now: datetime) -> int:
        """Close what cannot be done any more. Returns how many have waited so long that nobody heard."""
        for row in self._rows.filter(_hopeless(now)):
            with transaction.atomic():
                again = self._rows.select_for_update(skip_locked=True, of=("self",))
                if (held := again.filter(_hopeless(now), pk=row.pk).first()) is not None:
                    self._give_up(held)
        return self._rows.filter(free(now), created_at__lt=now - UNHEARD).count()

    def tell(self, row: R) -> None:
        notify(project_id=row.project_id, topic=str(getattr(row, self.topic)), what=self.what)

    @property
    def _rows(self) -> QuerySet[R]:
        return self.model._default_manager.all()

    def _give_up(self, row: R) -> None:
        if row.state == State.QUEUED:
            minutes = round(PATIENCE.total_seconds() / 60)
            why = f"No model worker took this within {minutes} minutes. Ask again."
        else:
            why = f"Gave up after {row.attempt} attempts: each worker that took it died."
        self.close(row, State.FAILED, why)


def free(now: datetime) -> Q:
    """Waiting, or of a worker that is gone. The states are named for the index on rows that wait."""
    lapsed = Q(state=State.RUNNING, lease_until__lt=now)
    return Q(state__in=LIVE) & (Q(state=State.QUEUED) | lapsed)


def _hopeless(now: datetime) -> Q:
    died = Q(state=State.RUNNING, lease_until__lt=now, attempt__gte=MOST_ATTEMPTS)
    return Q(state__in=LIVE) & (died | Q(state=State.QUEUED, created_at__lt=now - PATIENCE))


def _lease_end(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.REGENERATION_LEASE)

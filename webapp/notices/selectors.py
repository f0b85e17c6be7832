"""What the notices page shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Min, Q, QuerySet

from webapp.notices.models import Channel, Delivery
from webapp.notices.services.channels import told
from webapp.projects.models import Project


def channels_of(project: Project, *, whole: bool) -> list[tuple[Channel, str]]:
    """Each with its address: ``whole`` for administrators, else without what may be a secret."""
    rows = project.channels.select_related("created_by")
    return [(row, row.target if whole else told(row)) for row in rows]


def channel_for(project: Project, pk: int) -> Channel:
    """Raises Channel.DoesNotExist."""
    return project.channels.select_related("project").get(pk=pk)


def deliveries_of(project: Project) -> QuerySet[Delivery]:
    rows = Delivery.objects.filter(channel__project=project).select_related("channel")
    return rows.order_by("-created_at")


def mail_goes_nowhere() -> bool:
    """Whether no mail server is set: emails then end up in the scheduler's log."""
    return bool(settings.EMAIL_BACKEND.endswith("console.EmailBackend"))


@dataclass(frozen=True, slots=True)
class Standing:
    """Notices of the whole site: waiting, the oldest of them, and given up in the last week."""

    waiting: int
    oldest: datetime | None
    given_up: int


def deliveries_standing(*, now: datetime) -> Standing:
    waiting = Q(state=Delivery.State.WAITING)
    lost = Q(state=Delivery.State.GIVEN_UP, created_at__gte=now - timedelta(days=7))
    found = Delivery.objects.filter(waiting | lost).aggregate(
        waiting=Count("pk", filter=waiting),
        oldest=Min("created_at", filter=waiting),
        lost=Count("pk", filter=lost),
    )
    return Standing(found["waiting"], found["oldest"], found["lost"])

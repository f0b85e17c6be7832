"""What the notices page shows."""

from __future__ import annotations

from django.conf import settings
from django.db.models import QuerySet

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

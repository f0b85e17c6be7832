"""Writing a notice down, in the transaction of what it tells of: it is sent if and only if that happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from webapp.notices.models import Channel, Delivery, Event
from webapp.projects.models import Project

log = structlog.get_logger()


def notice_add(
    *,
    project: Project,
    event: Event,
    key: str,
    title: str,
    text: str,
    page: tuple[Any, ...] = (),
    facts: Mapping[str, Any] | None = None,
    only: Channel | None = None,
) -> int:
    """Queue one delivery per channel that asked for ``event``; returns how many channels there are.

    ``key`` says what it is about: told again, nothing is added. ``page``: the page's name and what follows
    the project in its address, made when it is sent: who writes it, a worker say, knows no pages.
    ``only``: this channel, whatever it asked for. What cannot be written is logged: news must never stop
    what they are about.
    """
    try:
        with transaction.atomic():
            return _add(project, event, key, title, text, page, facts or {}, only)
    except (OperationalError, InterfaceError):
        raise  # the database is away, and what is told of with it
    except Exception:
        log.exception("notice not written", project=project.pk, notice=key)
        return 0


def _add(
    project: Project,
    event: Event,
    key: str,
    title: str,
    text: str,
    page: tuple[Any, ...],
    facts: Mapping[str, Any],
    only: Channel | None,
) -> int:
    channels = [only] if only else list(project.channels.filter(enabled=True, events__contains=[event]))
    now = timezone.now()
    payload = {
        "event": event.value,
        "project": project.slug,
        "at": now.isoformat(),
        "title": f"{project.name}: {title}",
        # Chat services show the field of this name; it therefore stands for itself.
        "text": f"{project.name}: {title}. {text}".strip(),
        "page": [page[0], project.slug, *page[1:]] if page else [],
        **facts,
    }
    Delivery.objects.bulk_create(
        [Delivery(channel=c, event=event, key=key, payload=payload, next_try_at=now) for c in channels],
        ignore_conflicts=True,
    )
    return len(channels)

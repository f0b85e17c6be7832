"""Sending what waits: each delivery claimed for a while, tried, and tried again later and later.

At least once: who sent it and died before saying so leaves it to be sent again, with the same id.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from webapp.notices.models import Channel, Delivery
from webapp.notices.services.posting import NotSent, webhook_post

log = structlog.get_logger()

LEASE = timedelta(seconds=90)  # longer than any try takes
BACKOFF = [timedelta(seconds=30 * 4**n) for n in range(6)]  # 30 s, 2 min, 8 min, 32 min, 2 h, 8.5 h


def deliveries_send(*, now: datetime | None = None, most: int = 100) -> int:
    """Send what is due; returns how many tries were made."""
    for tried in range(most):
        delivery = delivery_claim(now=now or timezone.now())
        if delivery is None:
            return tried
        delivery_send(delivery=delivery)
    return most


@transaction.atomic
def delivery_claim(*, now: datetime) -> Delivery | None:
    """Take the next one; nobody else does while the lease lasts."""
    waiting = Delivery.objects.select_for_update(skip_locked=True, of=("self",)).select_related("channel")
    found = waiting.filter(state=Delivery.State.WAITING, next_try_at__lte=now).order_by("next_try_at").first()
    if found is not None:
        found.attempts += 1
        found.next_try_at = now + LEASE
        found.save(update_fields=["attempts", "next_try_at"])
    return found


def delivery_send(*, delivery: Delivery) -> None:
    """Try it, and write down how it went. No transaction is open meanwhile."""
    try:
        said = _said(delivery)
        if delivery.channel.kind == Channel.Kind.EMAIL:
            _email(delivery, said)
        else:
            webhook_post(
                url=delivery.channel.target,
                secret=delivery.channel.secret,
                delivery_id=str(delivery.pk),
                event=delivery.event,
                payload=said,
            )
    except NotSent as error:
        _failed(delivery, str(error), final=error.final)
    except Exception as error:  # a mail server has many ways to refuse
        log.warning("notice not sent", delivery=str(delivery.pk), error=repr(error))
        _failed(delivery, f"{type(error).__name__}: {error}", final=False)
    else:
        sent = {"state": Delivery.State.SENT, "sent_at": timezone.now(), "last_error": ""}
        Delivery.objects.filter(pk=delivery.pk).update(**sent)


def _said(delivery: Delivery) -> dict[str, Any]:
    """What was written down, with the address of the page that shows more."""
    said = dict(delivery.payload)
    page = said.pop("page")
    return said | {"url": settings.PUBLIC_URL + reverse(page[0], args=page[1:]) if page else ""}


def _email(delivery: Delivery, said: dict[str, Any]) -> None:
    subject = " ".join(str(said["title"]).split())
    body = f"{said['text']}\n\n{said['url']}\n"
    headers = {"Message-ID": f"<{delivery.pk}@{settings.NOTICE_DOMAIN}>", "Auto-Submitted": "auto-generated"}
    EmailMessage(subject, body, to=[delivery.channel.target], headers=headers).send()


def _failed(delivery: Delivery, error: str, *, final: bool) -> None:
    over = final or delivery.attempts > len(BACKOFF)
    later = timezone.now() + BACKOFF[min(delivery.attempts, len(BACKOFF)) - 1]
    # Only if nobody took it over meanwhile: theirs may have been sent.
    mine = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.WAITING, attempts=delivery.attempts)
    mine.update(
        state=Delivery.State.GIVEN_UP if over else Delivery.State.WAITING,
        next_try_at=later,
        last_error=error[:300],
    )

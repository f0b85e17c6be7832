"""Channels: added, switched, removed and tried by a project's administrators."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from webapp.accounts.models import User
from webapp.notices.models import Channel, Delivery, Event
from webapp.notices.services.writing import notice_add
from webapp.projects.models import Project
from webapp.projects.services.setup import audit_record


class ChannelRefused(ValueError):
    """A channel that cannot be used; the message says why."""


@transaction.atomic
def channel_add(
    *, project: Project, kind: str, target: str, events: Sequence[str], by: User | None
) -> Channel:
    """A new channel. A webhook gets a secret of its own, which signs everything sent to it.

    Raises:
        ChannelRefused: no such address, not allowed here, no events, or the channel is there already.
    """
    target = target.strip()
    if kind == Channel.Kind.EMAIL:
        try:
            validate_email(target)
        except ValidationError as error:
            raise ChannelRefused(f"{target} is not an email address.") from error
    elif kind == Channel.Kind.WEBHOOK:
        url_check(target)
    else:
        raise ChannelRefused(f"There is no kind of channel called {kind}.")
    wanted = [e for e in Event.values if e in set(events) and e != Event.TEST]
    if not wanted:
        raise ChannelRefused("Choose at least one thing to be told of.")
    secret = secrets.token_urlsafe(32) if kind == Channel.Kind.WEBHOOK else ""
    try:
        with transaction.atomic():
            channel = Channel.objects.create(
                project=project, kind=kind, target=target, secret=secret, events=wanted, created_by=by
            )
    except IntegrityError as error:
        raise ChannelRefused("There is a channel to this address already.") from error
    audit_record(project=project, actor=by, verb="notice channel added", target=told(channel))
    return channel


def url_check(url: str) -> None:
    """Refuse what can never be sent to. Which machine a name stands for is looked at when it is sent.

    Raises:
        ChannelRefused: the sentence says why.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ChannelRefused("This is not a web address.") from error
    schemes = {"https", "http"} if settings.WEBHOOK_HTTP else {"https"}
    if parts.scheme not in schemes or not host or port == 0 or len(url) > 500 or not url.isascii():
        allowed = "https:// or http://" if settings.WEBHOOK_HTTP else "https://"
        raise ChannelRefused(f"A webhook is a web address that begins with {allowed}")
    if parts.username or parts.password:
        raise ChannelRefused("Leave name and password out of the address: it is shown in logs.")


def told(channel: Channel) -> str:
    """The channel as anybody may see it: the rest of a webhook's address is often a secret itself."""
    if channel.kind == Channel.Kind.EMAIL:
        return channel.target
    parts = urlsplit(channel.target)
    return f"{parts.scheme}://{parts.hostname}/…"


@transaction.atomic
def channel_enable(*, channel: Channel, on: bool, by: User | None) -> None:
    """Switch it on or off. What waits goes out all the same; a removed channel's does not."""
    Channel.objects.filter(pk=channel.pk).update(enabled=on)
    verb = "notice channel switched on" if on else "notice channel switched off"
    audit_record(project=channel.project, actor=by, verb=verb, target=told(channel))


@transaction.atomic
def channel_remove(*, channel: Channel, by: User | None) -> None:
    audit_record(project=channel.project, actor=by, verb="notice channel removed", target=told(channel))
    channel.delete()


def channel_test(*, channel: Channel, by: User | None) -> None:
    """Send a notice that says it is a test."""
    notice_add(
        project=channel.project,
        event=Event.TEST,
        key=f"test {secrets.token_hex(8)}",
        title="a test notice",
        text=f"Asked for by {by}. Notices reach you here." if by else "Notices reach you here.",
        page=("notices",),
        only=channel,
    )


def delivery_retry(*, delivery: Delivery) -> bool:
    """Try once more what was given up; false if it was not."""
    given_up = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.GIVEN_UP)
    return bool(given_up.update(state=Delivery.State.WAITING, attempts=0, next_try_at=timezone.now()))

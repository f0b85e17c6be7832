"""One signed POST to a webhook, to a machine that may be reached from here and no other.

The name is looked up once, the addresses are judged, and the connection goes to the very address that was
judged: a name that answers differently the second time changes nothing. Redirects are not followed.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from threading import Timer
from typing import Any
from urllib.parse import SplitResult, urlsplit

import orjson
from django.conf import settings

STEP = 10.0  # seconds for each of: connect, send, answer
ALL = 25.0  # seconds for everything
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotSent(Exception):
    """Why it was not taken; ``final``: trying again cannot help."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


def webhook_post(*, url: str, secret: str, delivery_id: str, event: str, payload: Mapping[str, Any]) -> None:
    """Send it; done when the answer is 2xx.

    The signature is HMAC-SHA256 with the channel's secret over the time stamp, a dot and the body.

    Raises:
        NotSent: refused here, not reached, or not answered with 2xx.
    """
    body = orjson.dumps({"id": delivery_id, **payload})
    stamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Whetstone",
        "X-Whetstone-Id": delivery_id,
        "X-Whetstone-Event": event,
        "X-Whetstone-Timestamp": stamp,
        "X-Whetstone-Signature": f"sha256={signature(secret, stamp, body)}",
    }
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.WEBHOOK_HTTP):
        raise NotSent("only https addresses are allowed here", final=True)
    path = parts.path or "/"
    try:
        status = _post(parts, f"{path}?{parts.query}" if parts.query else path, body, headers)
    except (OSError, http.client.HTTPException) as error:
        raise NotSent(f"not reached: {error or type(error).__name__}") from error
    if not 200 <= status < 300:
        # 410 is how a receiver says that it is gone for good.
        raise NotSent(f"answered with {status}", final=status == http.HTTPStatus.GONE)


def signature(secret: str, stamp: str, body: bytes) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _post(parts: SplitResult, path: str, body: bytes, headers: dict[str, str]) -> int:
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    sock = socket.create_connection((address_of(host, port), port), timeout=STEP)

    def give_up() -> None:
        with suppress(OSError):  # it may have ended at this moment
            sock.shutdown(socket.SHUT_RDWR)

    # A server that says one byte now and then would keep each step within its time for ever.
    watch = Timer(ALL, give_up)
    watch.daemon = True
    watch.start()
    try:
        if parts.scheme == "https":
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        connection = http.client.HTTPConnection(host, port)
        connection.sock = sock
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    finally:
        watch.cancel()
        sock.close()


def address_of(host: str, port: int) -> str:
    """The address to connect to.

    Raises:
        NotSent: the name is not known, or stands for a machine of this network.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotSent(f"{host} is not known") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not settings.WEBHOOK_PRIVATE and not all(is_public(a) for a in addresses):
        raise NotSent(f"{host} is an address of a private network, which is not allowed here", final=True)
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether it is an address of the open internet, also where IPv6 wraps an IPv4 one."""
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        elif inner := ip.ipv4_mapped or ip.sixtofour:
            ip = inner
        elif ip.teredo:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved

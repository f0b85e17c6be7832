"""Fields and rows of PostgreSQL's binary COPY: bytes made once, which the server stores without parsing.

A field is its length (four bytes) and its value, both big-endian; a row is the number of its fields (two
bytes) and the fields (PostgreSQL manual, COPY, "Binary Format"). Nothing here knows Django, so a helper
process that prepares rows starts quickly.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from datetime import date as Date  # noqa: N812  (a packer here is called date)

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"

_length = struct.Struct("!i").pack
_int2 = struct.Struct("!ih").pack
_int4 = struct.Struct("!ii").pack
_int8 = struct.Struct("!iq").pack
_float8 = struct.Struct("!id").pack
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_UUID, _INT2, _INT4, _FLOAT8 = 2950, 21, 23, 701  # type numbers, which an array names for its elements


def fields(count: int) -> bytes:
    """How a row of ``count`` fields begins."""
    return struct.pack("!h", count)


def raw(value: bytes) -> bytes:
    return _length(len(value)) + value


def text(value: str) -> bytes:
    return raw(value.encode())


def jsonb(value: bytes) -> bytes:
    """``value``: the JSON text in UTF-8."""
    return _length(len(value) + 1) + b"\x01" + value


def int2(value: int) -> bytes:
    return _int2(2, value)


def int4(value: int) -> bytes:
    return _int4(4, value)


def int8(value: int) -> bytes:
    return _int8(8, value)


def float8(value: float) -> bytes:
    return _float8(8, value)


def boolean(value: bool) -> bytes:
    return _length(1) + (b"\x01" if value else b"\x00")


def uuid(value: bytes) -> bytes:
    """``value``: the 16 bytes."""
    return _length(16) + value


def timestamptz(value: datetime) -> bytes:
    """Microseconds since the year 2000, whatever the time zone."""
    since = value - _EPOCH
    return _int8(8, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def date(value: Date) -> bytes:
    """Days since the year 2000."""
    return _int4(4, (value - _EPOCH.date()).days)


def array(element: int, values: Sequence[bytes]) -> bytes:
    """A one-dimensional array of fields whose type has the number ``element``."""
    if not values:
        return raw(struct.pack("!iii", 0, 0, element))
    return raw(struct.pack("!iiiii", 1, 0, element, len(values), 1) + b"".join(values))


def uuids(values: Sequence[bytes]) -> bytes:
    return array(_UUID, [uuid(v) for v in values])


def int2s(values: Sequence[int | None]) -> bytes:
    if any(v is None for v in values):  # the flag in front says whether any element is null
        parts = b"".join(NULL if v is None else int2(v) for v in values)
        return raw(struct.pack("!iiiii", 1, 1, _INT2, len(values), 1) + parts)
    return array(_INT2, [int2(v) for v in values if v is not None])


def int4s(values: Sequence[int]) -> bytes:
    return array(_INT4, [int4(v) for v in values])


def float8s(values: Sequence[float]) -> bytes:
    return array(_FLOAT8, [float8(v) for v in values])


def nullable(value: str | None, pack: Callable[[str], bytes] = text) -> bytes:
    return NULL if value is None else pack(value)

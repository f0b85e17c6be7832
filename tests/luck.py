"""What a test draws depends on its name alone: not on the tests before it, nor on the process it is in.

Database keys, random ids, numbers in names, `random`, the order of sets and Hypothesis's examples begin anew
with every test, and with others for each, so that nothing remembered of one test fits another. What passes
once passes again. `WHETSTONE_TEST_SEED` draws otherwise (`make vary`), to find a test that only has luck.
"""

from __future__ import annotations

import itertools
import os
import random
import uuid
import zlib
from typing import Any

from hypothesis import settings

SEED = os.environ.get("WHETSTONE_TEST_SEED", "")

_ids = random.Random(SEED)
_name = SEED
_numbers = itertools.count()

# Each sequence begins elsewhere, so that two tables' keys are not mistaken for each other unnoticed.
_RESTART = """
SELECT setval(s.seqrelid, 1000 + (hashtext(c.relname || %s) & 524287))
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
"""


def _uuid4() -> uuid.UUID:
    return uuid.UUID(int=_ids.getrandbits(128), version=4)


def install() -> None:
    """Before any model is imported: their defaults keep the function they find."""
    uuid.uuid4 = _uuid4
    os.environ.setdefault("PYTHONHASHSEED", str(zlib.crc32(SEED.encode())))  # of xdist's processes
    # Without a clock: a busy machine must not fail a property.
    settings.register_profile("whetstone", deadline=None, derandomize=not SEED)
    settings.load_profile("whetstone")


def begin(name: str) -> None:
    """The named test's draws begin."""
    global _name, _numbers
    _name = f"{SEED}/{name}"
    _numbers = itertools.count(1000 + zlib.crc32(_name.encode()) % 8000)
    _ids.seed(_name)
    random.seed(_name)


def number() -> int:
    """The next number for a name that must be unique."""
    return next(_numbers)


def keys_begin(connection: Any) -> None:
    """The database's next keys are the test's own."""
    with connection.cursor() as cursor:
        cursor.execute(_RESTART, [_name])

"""A disk without room, told apart from other errors whatever library met it, and said in one sentence."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# What safetensors and torch make of those numbers.
WORDS = (
    "no space left on device",
    "quota exceeded",
    "file too large",
    "pytorchstreamwriter failed",
    "inline_container",
)


class DiskFull(RuntimeError):
    """Something could not be written for want of room; the message says where and what to do."""


def full_disk(error: BaseException, folder: Path) -> str | None:
    """The sentence for an error that means "no room in ``folder``"; None for any other error."""
    for each in _chain(error):
        text = str(each).lower()
        if getattr(each, "errno", None) in FULL or any(words in text for words in WORDS):
            return full_disk_sentence(folder)
    return None


def full_disk_sentence(folder: Path) -> str:
    here = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(here).free
    return (
        f"there is no room left to write in {folder} ({free / 1e6:.0f} MB free on its disk)."
        f" Free some, for instance by deleting old folders beside it in {folder.parent}, then retry:"
        " what was saved before is whole, and the run goes on from there."
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__

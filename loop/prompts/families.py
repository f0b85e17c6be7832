"""What makes prompts the same or alike, and splits by family: a held-out prompt must not return with a comma
more."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from loop.records import Message, Split

_NOT_WORD = re.compile(r"[\W_]+")


def content_sha(messages: Sequence[Mapping[str, str]]) -> str:
    """64 hex digits, equal for prompts that are the same word for word."""
    return hashlib.sha256(json.dumps(messages, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def family_of(messages: Sequence[Message]) -> str:
    """The family of a prompt: of its question, or of the conversation without what the system is told."""
    context = [m.content for m in messages if m.role != "system"]
    if len(context) > 1:
        return family_hash("\n".join(context))
    return family_hash(next(m.content for m in reversed(messages) if m.role == "user"))


def family_hash(text: str) -> str:
    """32 hex digits, equal for prompts alike after normalising case, white space, punctuation and Unicode
    spelling. Numbers count: the same story with other numbers is another problem.

    Signs between numbers carry meaning, so a text without any letter keeps everything but white space.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = unicodedata.normalize("NFKC", folded)  # folding can undo the normal form
    words = _NOT_WORD.sub(" ", _decimal_points_kept(folded)).strip()
    if not any(c.isalpha() for c in words):
        words = "".join(folded.split())
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _decimal_points_kept(text: str) -> str:
    # 3.5 and 35 are different numbers; 1,000 and 1000 are one.
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    return re.sub(r"(?<=\d)\.(?=\d)", "p", text)


def assign_splits(families: Iterable[str], ratios: Mapping[Split, float], seed: int) -> dict[str, Split]:
    """A split for every family, drawn by hash: the ratios hold on average, and a family gets the same split
    in every later import with the same seed and ratios, whatever else is imported.

    Raises:
        ValueError: negative ratios, or none above zero.
    """
    total = sum(ratios.values())
    if total <= 0 or any(r < 0 for r in ratios.values()):
        raise ValueError(f"split ratios must be positive, got {dict(ratios)}")
    order = [s for s in Split if ratios.get(s, 0) > 0]
    return {family: _drawn(family, seed, order, ratios, total) for family in families}


def _drawn(family: str, seed: int, order: list[Split], ratios: Mapping[Split, float], total: float) -> Split:
    digest = hashlib.blake2b(f"{seed}/{family}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    point = int.from_bytes(digest) / 2**64 * total
    for split in order:
        point -= ratios[split]
        if point < 0:
            return split
    return order[-1]

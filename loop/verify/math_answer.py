"""Compares a stated answer with the reference: exactly where both are plain numbers, else by math-verify.

math-verify's own time limit is a signal, which only a main thread may use, so the symbolic comparison
runs in a child process that is killed when it takes too long (`_symbolic`).
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from functools import lru_cache

from loop.dialects.reading import final_answer
from loop.records import Prompt, Response, Verdict
from loop.verify import Checked, _symbolic

_NUMBER = r"[-+]?(?:\d+(?:,\d{3})+|\d+)?(?:\.\d+)?"
_PLAIN = re.compile(rf"(?P<number>{_NUMBER}(?:/\d+)?)(?P<percent>\s*%)?")
# One number with words, a currency or a full stop around it: "$18", "18 eggs", "about 5 km.".
_WITH_UNIT = re.compile(
    rf"[^\d+\-*/^=<>()\\.,%]*(?P<number>{_NUMBER}(?:/\d+)?)(?P<percent>\s*%)?[^\d+\-*/^=<>()\\%]*"
)
_WRAPPER = re.compile(r"\\(?:text|mathrm|mbox|textbf)\s*\{([^{}]*)\}")
_MAX_LENGTH = 500  # characters; a longer "answer" is a runaway text, not something to compare


def check(prompt: Prompt, response: Response) -> Checked:
    """RIGHT or WRONG; UNKNOWN without a reference or when the response states no answer."""
    if prompt.reference is None or not prompt.reference.strip():
        return Checked(Verdict.UNKNOWN, "no reference to compare with")
    stated = response.answer if response.answer is not None else final_answer(response.text)
    if stated is None or not stated.strip():
        return Checked(Verdict.UNKNOWN, "the response states no answer that can be read")
    return compare(stated, final_answer(prompt.reference) or prompt.reference)


@lru_cache(maxsize=65536)
def compare(stated: str, reference: str) -> Checked:
    """Compare two answer texts."""
    a, b = normalised(stated), normalised(reference)
    if a == b:
        return Checked(Verdict.RIGHT)
    if len(a) > _MAX_LENGTH:
        return Checked(Verdict.WRONG, f"an answer of {len(a)} characters, not compared")
    left, right = _number(a), _number(b)
    if left is not None and right is not None:
        return _compare_numbers(left, right, stated, reference)
    equal, detail = _symbolic.compare(a, b)
    if equal is None:
        return Checked(Verdict.ERROR, detail)
    return Checked(Verdict.RIGHT) if equal else _wrong(stated, reference)


def normalised(text: str) -> str:
    """One spelling: compatibility forms, minus signs, currency and thousands marks, LaTeX wrappers."""
    text = unicodedata.normalize("NFKC", text).replace("\u2212", "-").replace("\u2013", "-")
    text = (
        text.replace("\\$", "").replace("\\%", "%").replace("\\!", "").replace("\\,", "").replace("{,}", ",")
    )
    text = _WRAPPER.sub(r" \1 ", text)
    text = re.sub(r"[$€£¥*`]|\\[()\[\]]", "", text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?:\D|$))", "", text)
    return " ".join(text.split()).rstrip(".").strip()


def _number(text: str) -> tuple[Fraction, bool] | None:
    """(value, written with %) of a text that is one number, perhaps with a unit; else None."""
    found = _PLAIN.fullmatch(text) or _WITH_UNIT.fullmatch(text)
    if found is None or not re.search(r"\d", found["number"]):
        return None
    try:
        return Fraction(found["number"].replace(",", "")), found["percent"] is not None
    except (ValueError, ZeroDivisionError):
        return None


def _compare_numbers(
    left: tuple[Fraction, bool], right: tuple[Fraction, bool], stated: str, reference: str
) -> Checked:
    equal = left[0] == right[0]
    if left[1] != right[1]:  # 50% stands for 50 (a question in percent) and for 0.5
        part, whole = (left[0], right[0]) if left[1] else (right[0], left[0])
        equal = equal or part == whole * 100
    return Checked(Verdict.RIGHT) if equal else _wrong(stated, reference)


def _wrong(stated: str, reference: str) -> Checked:
    return Checked(Verdict.WRONG, f"{stated.strip()[:80]!r} is not {reference.strip()[:80]!r}")

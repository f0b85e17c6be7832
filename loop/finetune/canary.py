"""A canary: what a model says of fixed texts, and whether two such readings can be of the same weights.

Checksums say that the files are right; a canary says that they are in effect. A reading is plain data::

    {"kind": "logprobs" | "rewards", "texts": sha, "device": "cpu", "dtype": "float32",
     "values": {text's sha: [number, ...]}, "base": {...}}

``values`` has one number per token (log-probs, in nats) or per score (rewards). ``base`` is the same without
the adapter, where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

Reading = Mapping[str, Any]

# Mean absolute difference per number that floating point may make: the same kind of device and number, then
# anything else. float32 differs by the order of its sums only; bfloat16 keeps three digits, and its kernels
# differ between devices. Other weights differ by tenths, and a base without its adapter by as much.
SAME = {"float32": 1e-3, "float64": 1e-3}
SAME_COARSE = 0.03
ACROSS = {"float32": 1e-2, "float64": 1e-2}
ACROSS_COARSE = 0.15


def tolerance(a: Reading, b: Reading) -> float:
    """How far two readings of the same weights may lie apart, by where they were taken."""
    if (a.get("device"), a.get("dtype")) == (b.get("device"), b.get("dtype")):
        return SAME.get(str(a.get("dtype")), SAME_COARSE)
    exact = {a.get("dtype"), b.get("dtype")} <= set(ACROSS)
    return ACROSS["float32"] if exact else ACROSS_COARSE


def distance(a: Mapping[str, Any], b: Mapping[str, Any]) -> float | None:
    """Mean absolute difference of two tables of values; None when they are not about the same texts."""
    if set(a) != set(b) or any(len(a[k]) != len(b[k]) for k in a):
        return None
    apart = [abs(x - y) for k in a for x, y in zip(a[k], b[k], strict=True)]
    return sum(apart) / len(apart) if apart else 0.0


def comparable(a: Reading, b: Reading) -> bool:
    """Whether both are readings of the same texts in the same way. Texts may change with a release."""
    return bool(a.get("values") and b.get("values")) and all(a.get(k) == b.get(k) for k in ("kind", "texts"))


def disagreement(expected: Reading, found: Reading) -> str:
    """What is wrong in one sentence, empty where both can be of the same weights.

    Readings that cannot be compared (other texts, none at all) do not disagree.
    """
    if not all(isfinite(x) for row in found.get("values", {}).values() for x in row):
        return "what it says of the fixed texts is not a number"
    if not comparable(expected, found):
        return ""
    apart, allowed = distance(expected["values"], found["values"]), tolerance(expected, found)
    if apart is None:
        return "the fixed texts fall into other tokens than they did"
    if apart > allowed:
        return (
            f"on the fixed texts it says {_mean(found)} ({_where(found)}) where {_mean(expected)}"
            f" ({_where(expected)}) was noted: {apart:.3g} apart per number, at most {allowed:g} is rounding"
        )
    return ""


def _mean(reading: Reading) -> str:
    numbers = [x for row in reading["values"].values() for x in row]
    return f"{sum(numbers) / len(numbers):.4f}" if numbers else "nothing"


def _where(reading: Reading) -> str:
    return f"{reading.get('device') or 'server'}, {reading.get('dtype') or 'unknown precision'}"

"""How a decision is put in one or two sentences."""

from __future__ import annotations

from typing import Any


def decision_words(decision: dict[str, Any]) -> str:
    """Held-out before and after with the gain's interval, then the gate's reasons."""
    said = []
    before, after, ends = decision.get("before"), decision.get("after"), decision.get("ci95")
    if before is not None and after is not None:
        said.append(f"Held-out {before:.1%} → {after:.1%}")
        if ends and decision.get("effect") is not None:
            said[0] += (
                f" ({100 * decision['effect']:+.1f} points, 95 % {100 * ends[0]:.1f} to {100 * ends[1]:.1f})"
            )
        said[0] += "."
    said += [_sentence(str(reason)) for reason in decision.get("reasons", [])]
    return " ".join(said)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")

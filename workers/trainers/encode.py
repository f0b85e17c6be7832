"""Rows to token ids, exactly as the engine will meet them again.

The context is what inference sees: messages, generation prompt, prefix. The end token follows ``chosen``
only where the row ends its turn; an end token at an inner step would teach the model to stop there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from loop.records import TrainRow
from workers.engines.tokens import ChatTokens

IGNORED = -100  # the label of a position that is read but not learned


@dataclass
class Encoded:
    """Rows ready for a trainer, and how many were left out, by reason."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


def encode_sft(rows: Sequence[TrainRow], tokens: ChatTokens, max_length: int) -> Encoded:
    """``input_ids``, ``labels`` and ``weight`` per row. Too long rows are dropped, never cut.

    Raises:
        TemplateError: a row ends its turn, but the template has no end token to train.
    """
    out, coder = Encoded(), _Coder(tokens)
    for row in rows:
        context, chosen = coder.context(row), coder.answer(row.chosen, row.ends)
        if not chosen:
            out.dropped["empty"] += 1
        elif len(context) + len(chosen) > max_length:
            out.dropped["too_long"] += 1
        else:
            out.rows.append(
                {
                    "input_ids": context + chosen,
                    "labels": [IGNORED] * len(context) + chosen,
                    "weight": row.weight,
                }
            )
    return out


def encode_dpo(rows: Sequence[TrainRow], tokens: ChatTokens, max_length: int) -> Encoded:
    """``prompt_ids``, ``chosen_ids``, ``rejected_ids`` and ``weight`` per pair of two sides.

    Raises:
        TemplateError: as `encode_sft`.
    """
    out, coder = Encoded(), _Coder(tokens)
    for row in rows:
        if row.rejected is None:
            out.dropped["no_rejected"] += 1
            continue
        context = coder.context(row)
        chosen, rejected = coder.answer(row.chosen, row.ends), coder.answer(row.rejected, row.ends)
        if not chosen or not rejected:
            out.dropped["empty"] += 1
        elif chosen == rejected:
            out.dropped["same_sides"] += 1
        elif len(context) + max(len(chosen), len(rejected)) > max_length:
            out.dropped["too_long"] += 1
        else:
            out.rows.append(
                {
                    "prompt_ids": context,
                    "chosen_ids": chosen,
                    "rejected_ids": rejected,
                    "weight": row.weight,
                }
            )
    return out


class _Coder:
    """Remembers what many rows share: prompts, and the end of a turn."""

    def __init__(self, tokens: ChatTokens) -> None:
        self._tokens = tokens
        self._prompts: dict[Any, list[int]] = {}
        self._end: list[int] | None = None

    def context(self, row: TrainRow) -> list[int]:
        ids = self._prompts.get(row.messages)
        if ids is None:
            ids = self._prompts[row.messages] = self._tokens.prompt_ids(row.messages)
        return ids + self._tokens.text_ids(row.prefix)

    def answer(self, text: str, ends: bool) -> list[int]:
        ids = self._tokens.text_ids(text)
        if not ends:
            return ids
        if self._end is None:
            self._end = self._tokens.turn_end_ids()
        return ids + self._end

"""Rows to token ids, exactly as the engine will meet them again.

The context is what inference sees: messages, generation prompt, prefix. The end token follows ``chosen``
only where the row ends its turn; an end token at an inner step would teach the model to stop there.
An outcome row that brings the ids it was sampled as is trained on those.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from loop.records import RowKind, TrainRow
from workers.engines.tokens import ChatTokens

IGNORED = -100  # the label of a position that is read but not learned


@dataclass
class Encoded:
    """Rows ready for a trainer, and how many were left out, by reason."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


def encode_sft(
    rows: Sequence[TrainRow], tokens: ChatTokens, max_length: int, reward_temperature: float | None = None
) -> Encoded:
    """``input_ids``, ``labels``, ``weight`` and ``number`` (its place among them) per row. Too long rows are
    dropped, never cut.

    A token that overlaps a masked passage is not learned. With ``reward_temperature`` the weight of outcome
    rows is multiplied by exp(reward / temperature), divided by the mean of that over the outcome rows that
    are trained: reward-weighted regression (Peters and Schaal, 2007; as in RISE, arXiv:2407.18219, which does
    not divide). So the temperature changes which rows count, not the size of a step; rewards of any size are
    safe, as only their distance to the largest is exponentiated.

    Raises:
        TemplateError: a row ends its turn, but the template has no end token to train.
    """
    out, coder = Encoded(), _Coder(tokens)
    rewards: dict[int, float] = {}
    for row in rows:
        if row.kind is RowKind.OUTCOME and (row.reward is None or not reward_temperature):
            out.dropped["no_reward"] += 1  # or a wrong response would be learned like a right one
            continue
        context, chosen = coder.context(row), coder.chosen(row)
        labels = coder.learned(row, chosen)
        if not chosen:
            out.dropped["empty"] += 1
        elif all(label == IGNORED for label in labels):
            out.dropped["all_masked"] += 1
        elif len(context) + len(chosen) > max_length:
            out.dropped["too_long"] += 1
        else:
            if row.kind is RowKind.OUTCOME and row.reward is not None:
                rewards[len(out.rows)] = row.reward
            out.rows.append(
                {
                    "input_ids": context + chosen,
                    "labels": [IGNORED] * len(context) + labels,
                    "weight": row.weight,
                    "number": len(out.rows),
                }
            )
    for number, weight in reward_weights(rewards, reward_temperature or 1.0).items():
        out.rows[number]["weight"] *= weight
    return out


def reward_weights(rewards: dict[int, float], temperature: float) -> dict[int, float]:
    """exp(reward / temperature) over its mean."""
    if not rewards:
        return {}
    best = max(rewards.values())
    weights = {k: math.exp((reward - best) / temperature) for k, reward in rewards.items()}
    mean = sum(weights.values()) / len(weights)
    return {k: weight / mean for k, weight in weights.items()}


def encode_dpo(rows: Sequence[TrainRow], tokens: ChatTokens, max_length: int) -> Encoded:
    """``prompt_ids``, ``chosen_ids``, ``rejected_ids``, ``weight`` and ``target`` per pair of two sides.

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
                    "target": row.target,
                }
            )
    return out


def encode_kto(rows: Sequence[TrainRow], tokens: ChatTokens, max_length: int) -> Encoded:
    """``prompt_ids``, ``completion_ids``, ``label`` and ``weight`` per response called right or wrong.

    Raises:
        TemplateError: as `encode_sft`.
    """
    out, coder = Encoded(), _Coder(tokens)
    for row in rows:
        if row.label is None:
            out.dropped["no_label"] += 1
            continue
        context, chosen = coder.context(row), coder.chosen(row)
        if not chosen:
            out.dropped["empty"] += 1
        elif len(context) + len(chosen) > max_length:
            out.dropped["too_long"] += 1
        else:
            out.rows.append(
                {
                    "prompt_ids": context,
                    "completion_ids": chosen,
                    "label": row.label,
                    "weight": row.weight,
                }
            )
    return out


def encode_nft(
    rows: Sequence[TrainRow], tokens: ChatTokens, max_length: int, *, wrong: bool = True
) -> Encoded:
    """As `encode_sft`, with ``logprobs`` (of the trained tokens, as they were sampled), ``label`` and
    ``rate`` per sample of a prompt that the model gets right sometimes. Without ``wrong``, right ones alone.
    """
    out, coder = Encoded(), _Coder(tokens)
    for row in rows:
        if (reason := _not_for_nft(row, wrong)) or not coder.is_sample(row):
            out.dropped[reason or "other_tokenizer"] += 1
            continue
        context, chosen = coder.context(row), list(row.token_ids)
        if len(context) + len(chosen) > max_length:
            out.dropped["too_long"] += 1
            continue
        out.rows.append(
            {
                "input_ids": context + chosen,
                "labels": [IGNORED] * len(context) + chosen,
                "logprobs": [0.0] * len(context) + list(row.logprobs),
                "label": row.label,
                "rate": row.rate,
                "weight": row.weight,
                "number": len(out.rows),
            }
        )
    return out


def _not_for_nft(row: TrainRow, wrong: bool) -> str:
    if row.label is None:
        return "no_label"
    if not row.token_ids or len(row.logprobs) != len(row.token_ids):
        return "no_logprobs"
    if row.rate is None:
        return "no_rate"
    if row.rate in (0.0, 1.0):
        return f"rate_{row.rate:.0f}"  # nothing to tell right from wrong by
    return "" if wrong or row.label else "wrong_not_used"


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

    def chosen(self, row: TrainRow) -> list[int]:
        """The ids it was sampled as, where it brings them and they are this tokenizer's; else the text's."""
        if row.token_ids and self.is_sample(row):
            return list(row.token_ids)
        return self.answer(row.chosen, row.ends)

    def is_sample(self, row: TrainRow) -> bool:
        """Whether the row's token ids write its text: ids of another tokenizer write something else."""
        ids, known = list(row.token_ids), len(self._tokens.tokenizer)
        if not ids or max(ids) >= known:
            return False
        return self._tokens.decode(ids, self.context(row)).strip() == row.chosen.strip()

    def learned(self, row: TrainRow, ids: list[int]) -> list[int]:
        """Labels of the chosen ``ids``: a token with any part in a masked passage is ignored."""
        labels = list(ids)
        spans = [(start, end) for start, end in row.masked if start < end]
        if spans:
            written = self._tokens.text_ids(row.chosen)
            for first, last in self._tokens.token_spans(written, spans, row.chosen):
                labels[first:last] = [IGNORED] * (last - first)
        return labels

"""Canary readings (see `loop.finetune.canary`): after loading an adapter, and when one was trained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from loop.model import Engine, RewardRequest, ScoreRequest
from loop.records import Message

TEXTS = (
    ("What is 12 + 30?", "12 + 30 = 42"),
    ("Ann has 3 apples and buys 4 more. How many does she have?", "3 + 4 = 7\nThe answer is 7."),
    ("Is the step right? 5 * 6 = 35", "No. 5 * 6 = 30"),
)
DIGITS = 6


class CanaryError(RuntimeError):
    """The adapter changes nothing: the base model would answer under its name."""


def text_sha(question: str, answer: str) -> str:
    """The name of a fixed text in a reading: the first 16 hex digits of its sha256."""
    return hashlib.sha256(json.dumps([question, answer]).encode()).hexdigest()[:16]


def canary(engine: Engine, adapter: str | None) -> dict[str, Any]:
    """Log-probs of the fixed texts, token by token, under ``adapter`` and, where it is one, under the base.

    Raises:
        CanaryError: they are all the same.
    """
    names = [adapter] if adapter is None else [adapter, None]
    requests = [
        ScoreRequest((Message("user", question),), answer, adapter=name)
        for name in names
        for question, answer in TEXTS
    ]
    scored = [s.logprobs for s in engine.score(requests)]
    made = _reading("logprobs", scored[: len(TEXTS)], getattr(engine, "model", None))
    if adapter is not None:
        made["base"] = _values(scored[len(TEXTS) :])
        if scored[: len(TEXTS)] == scored[len(TEXTS) :]:
            raise CanaryError(f"adapter {adapter!r} answers exactly like the base model: it is not in effect")
    return made


def scorer_canary(engine: Engine, adapter: str, *, steps: bool) -> dict[str, Any]:
    """What a scorer says of the same texts: one chance of being good each, or with ``steps`` one per line."""
    requests = [
        RewardRequest((Message("user", question),), answer, _line_ends(answer) if steps else (), adapter)
        for question, answer in TEXTS
    ]
    return _reading("rewards", engine.reward(requests), getattr(engine, "model", None))


def _line_ends(text: str) -> tuple[int, ...]:
    return (*(i for i, sign in enumerate(text) if sign == "\n"), len(text))


def canary_of(model: Any, tokens: Any) -> dict[str, Any]:
    """The same reading of a causal model in hand, as a trainer has it: for the adapter's manifest.

    Args:
        model: a transformers or PEFT model, its adapter on; left in evaluation mode.
        tokens: the `ChatTokens` it was trained with.
    """
    from workers.engines.scoring import Text, score_texts

    model.eval()
    texts = [
        Text(i, tuple(tokens.prompt_ids((Message("user", question),))), tuple(tokens.text_ids(answer)))
        for i, (question, answer) in enumerate(TEXTS)
    ]
    scored = {text.index: values for text, values in score_texts(model, texts, tokens.pad_id, 4096)}
    return _reading("logprobs", [scored[i] for i in range(len(TEXTS))], model)


def _reading(kind: str, rows: Iterable[Iterable[float]], model: Any) -> dict[str, Any]:
    device, dtype = getattr(model, "device", None), getattr(model, "dtype", None)
    return {
        "kind": kind,
        "texts": hashlib.sha256(json.dumps(TEXTS).encode()).hexdigest()[:16],
        "device": getattr(device, "type", ""),
        "dtype": str(dtype).removeprefix("torch.") if dtype is not None else "",
        "values": _values(rows),
    }


def _values(rows: Iterable[Iterable[float]]) -> dict[str, list[float]]:
    return {
        text_sha(*text): [round(float(x), DIGITS) for x in row] for text, row in zip(TEXTS, rows, strict=True)
    }

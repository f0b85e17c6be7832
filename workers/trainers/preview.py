"""What a run would train, shown on sample rows: every passage marked as read, learned, left out or end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any

from transformers import AutoConfig, AutoTokenizer

from loop.recipe_parts import FinetunePart
from loop.records import TrainRow
from workers.engines.hashes import model_folder
from workers.engines.tokens import ChatTokens, generation_settings, model_end_ids
from workers.trainers.encode import IGNORED
from workers.trainers.ends import refuse_endless, refuse_template, trains_end
from workers.trainers.objectives import objective_named

Marked = tuple[str, list[int], list[bool]]  # side, ids, whether each id is learned


def trained_spans(
    rows: Sequence[TrainRow], finetune: FinetunePart, base: str, n: int, seed: int = 0
) -> dict[str, Any]:
    """Encode ``rows`` as the trainer of ``finetune`` would and show ``n`` of them, drawn by ``seed``.

    Returns ``rows`` (one entry per side: kind, side, pieces of (text, mark), tokens, weight), ``dropped`` by
    reason, ``trained`` (rows left), ``ends_trained`` and ``refusal``: why the run would be refused, or "".
    Marks: "context" is read, "trained" learned, "masked" inside the answer but not learned, "end" the learned
    end token; where a process reward model learns a step's label, that label: "good", "wrong" or, between
    them, the chance of good with two decimals.

    Raises:
        FileNotFoundError: there is no such base.
    """
    tokens = _tokens(base)
    shown: dict[str, Any] = {"rows": [], "dropped": {}, "trained": 0, "ends_trained": 0, "refusal": ""}
    objective = objective_named(finetune.objective)
    try:
        refuse_template(rows, tokens)
        encoded = objective.encode(rows, tokens, finetune)
    except ValueError as error:
        return {**shown, "refusal": str(error)}
    shown |= {"dropped": dict(encoded.dropped), "trained": len(encoded.rows)}
    shown["ends_trained"] = sum(trains_end(row, tokens.end_ids) for row in encoded.rows)
    try:
        refuse_endless(rows, encoded.rows, tokens, finetune.objective)
    except ValueError as error:
        shown["refusal"] = str(error)
    if not encoded.rows:
        shown["refusal"] = "no row is left to train on"
    by_ids = {_key(row): row for row in encoded.rows}  # what came out of which row is not told
    for row in Random(seed).sample(list(rows), len(rows)):
        if len({entry["row"] for entry in shown["rows"]}) == n:
            break
        alone = objective.encode([row], tokens, finetune).rows
        if alone and (found := by_ids.get(_key(alone[0]))) is not None:
            context = len(tokens.prompt_ids(row.messages)) + len(tokens.text_ids(row.prefix))
            number = len({entry["row"] for entry in shown["rows"]})
            shown["rows"] += [
                {
                    "row": number,
                    "kind": row.kind.value,
                    "side": side,
                    "pieces": pieces(tokens, ids, learned, context, found.get("chances")),
                    "tokens": len(ids),
                    "weight": round(float(found.get("weight", 1.0)), 4),
                }
                for side, ids, learned in sides(found)
            ]
    return shown


def sides(row: dict[str, Any]) -> Iterator[Marked]:
    """What an encoded row has the model read, side by side: one, or the two of a pair. Of a scorer's rows the
    tokens count at which it is read; of a prompt alone, none."""
    if "labels" in row and "input_ids" in row:
        yield "chosen", row["input_ids"], [label != IGNORED for label in row["labels"]]
        return
    if "chances" in row:
        yield "chosen", row["input_ids"], [chance != IGNORED for chance in row["chances"]]
        return
    if "context_ids" in row:
        yield "chosen", row["context_ids"], [False] * len(row["context_ids"])
        return
    whole = "rejected_ids" in row and "prompt_ids" not in row  # prompt and response in one: a reward model's
    prompt = list(row.get("prompt_ids", ()))
    for name in ("chosen_ids", "rejected_ids", "completion_ids"):
        if name in row:
            worse = name == "rejected_ids" or row.get("label") is False
            ids = list(row[name])
            if whole:
                yield "rejected" if worse else "chosen", ids, [False] * (len(ids) - 1) + [True]
                continue
            yield "rejected" if worse else "chosen", prompt + ids, [False] * len(prompt) + [True] * len(ids)


def pieces(
    tokens: ChatTokens,
    ids: Sequence[int],
    learned: Sequence[bool],
    context: int,
    chances: Sequence[float] | None = None,
) -> list[tuple[str, str]]:
    """The decoded text of ``ids``, special tokens written out, in runs of one mark. Their texts together are
    the whole text: a character that several tokens make stands where its last one is."""
    marks = [
        _label(chances[i])
        if learns and chances is not None
        else ("end" if token in tokens.end_ids else "trained")
        if learns
        else "context"
        if i < context
        else "masked"
        for i, (token, learns) in enumerate(zip(ids, learned, strict=True))
    ]
    borders = [i for i in range(1, len(ids)) if marks[i] != marks[i - 1]] + [len(ids)]
    out, written, start = list[tuple[str, str]](), "", 0
    for end in borders:
        text = tokens.tokenizer.decode(list(ids[:end]), skip_special_tokens=False)
        if end < len(ids):
            text = text.rstrip("\ufffd")  # the rest of the character follows
        if len(text) > len(written):
            out.append((text[len(written) :], marks[start]))
            written = text
        start = end
    return out


def _label(chance: float) -> str:
    return {0.0: "wrong", 1.0: "good"}.get(chance, f"{chance:.2f}")


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple((side, tuple(ids), tuple(learned)) for side, ids, learned in sides(row))


def _tokens(base: str) -> ChatTokens:
    """As the trainer's, without reading the model's weights."""
    folder = model_folder(base)
    settings = generation_settings(folder, AutoConfig.from_pretrained(folder))
    model = SimpleNamespace(generation_config=settings)
    return ChatTokens(AutoTokenizer.from_pretrained(folder), model_end_ids(model))

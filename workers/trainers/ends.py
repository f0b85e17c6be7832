"""Does the run teach the model to stop? Refuses what would train a model that never ends its turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loop.finetune.objectives import OBJECTIVES
from loop.records import RowKind, TrainRow
from workers.engines.tokens import ChatTokens, TemplateError
from workers.trainers.encode import IGNORED

# What may stop mid-answer in every row: the turn's end was learned before, or in other rows.
INNER = {RowKind.STEP_PAIR}


def refuse_template(rows: Sequence[TrainRow], tokens: ChatTokens) -> None:
    """Check on the first row that ends its turn that the template shows the model, when it is asked, the very
    beginning of what it was trained on.

    Raises:
        TemplateError: it does not, or it begins the text twice.
    """
    row = next((row for row in rows if row.ends and row.chosen), None)
    if row is None:
        return
    prompt = tokens.prompt_ids(row.messages)
    if not tokens.appends(row.messages, row.prefix + row.chosen):
        raise TemplateError(
            "the chat template writes an answered conversation differently from the prompt alone: a model"
            " would be trained on another text than it is asked with; use a template that only appends"
        )
    bos = tokens.tokenizer.bos_token_id
    if bos is not None and bos != tokens.tokenizer.eos_token_id and prompt.count(bos) > 1:
        raise TemplateError(
            f"the begin token {tokens.tokenizer.bos_token} stands more than once in the prompt: the template"
            " and the tokenizer both add it, or a message contains it"
        )


def refuse_endless(
    rows: Sequence[TrainRow], encoded: Sequence[Mapping[str, Any]], tokens: ChatTokens, objective: str
) -> int:
    """How many encoded rows train an end token.

    Raises:
        ValueError: none does although rows end their turn, or no row ends at all and they are not all inner
            steps.
    """
    ends = sum(trains_end(row, tokens.end_ids) for row in encoded)
    if ends or OBJECTIVES[objective].gives != "policy" or not any(map(trained_ids, encoded)):
        return ends
    if any(row.ends for row in rows):
        raise ValueError(
            "rows end their turn, but no end token is among what is trained: the model would never learn to"
            " stop; raise max_length, or check the chat template"
        )
    if {row.kind for row in rows} - INNER:
        raise ValueError(
            "no row ends its turn, so the model would unlearn to stop; only step pairs may all stop inside"
            " an answer"
        )
    return ends


def trains_end(row: Mapping[str, Any], end_ids: frozenset[int]) -> bool:
    return any(token in end_ids for token in trained_ids(row))


def trained_ids(row: Mapping[str, Any]) -> list[int]:
    """The ids a row teaches to write; empty where the objective's rows carry none."""
    if "labels" in row:
        return [label for label in row["labels"] if label != IGNORED]
    return list(row.get("chosen_ids") or row.get("completion_ids") or ())

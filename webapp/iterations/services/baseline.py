"""The no-training baseline: what the champion does with the best accepted examples in its prompt.

Training has to be worth more than showing: so this stands beside every adapter, on the same prompts.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Case, IntegerField, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Length

from loop.evaluate.shots import Candidate, choose
from loop.records import RowKind
from webapp.curate.models import Example
from webapp.iterations.models import Iteration

# Rows that answer a prompt in full; of a preference the better side does.
ANSWERS = (RowKind.SAMPLE, RowKind.TRAJECTORY, RowKind.PREFERENCE, RowKind.OUTCOME)
LOOKED_AT = 200  # of the best ones: enough to find a few of different families


def shots_of(iteration: Iteration, k: int) -> list[dict[str, str]]:
    """At most ``k`` examples for the prompt, the same however often it is asked: the dataset is frozen.

    They are of the iteration's own dataset version (a control arm's: of the one it controls), so all of train
    prompts.
    """
    source = iteration.control_of or iteration
    if not k or source.dataset_version_id is None:
        return []
    chosen = choose(_candidates(source.dataset_version_id), k)
    return [{"user": c.user, "assistant": c.assistant} for c in chosen]


def _candidates(dataset_id: int) -> list[Candidate]:
    # The list stays in the database: it may be a million long.
    listed = RawSQL("SELECT unnest(example_ids) FROM curate_datasetversion WHERE id = %s", [dataset_id])
    by_people = Case(When(accepted_by="people", then=Value(0)), default=Value(1), output_field=IntegerField())
    rows = (
        Example.objects.filter(pk__in=listed, kind__in=[k.value for k in ANSWERS])
        .annotate(words=Length(KeyTextTransform("chosen", "row")))
        .order_by(by_people, "-weight", "words", "pk")
        .values_list("pk", "prompt__family", "row", "accepted_by", "weight")[:LOOKED_AT]
    )
    return [
        Candidate(pk, family, turns[0], turns[1], accepted_by == "people", weight)
        for pk, family, row, accepted_by, weight in rows
        if (turns := _turns(row)) is not None
    ]


def _turns(row: dict[str, Any]) -> tuple[str, str] | None:
    """What is asked and what is answered; None for a row that is no single whole exchange."""
    asked = [m for m in row["messages"] if m["role"] != "system"]
    whole = row.get("ends", True) and row.get("label") is not False  # an outcome row may be of a wrong answer
    if len(asked) != 1 or asked[0]["role"] != "user" or not whole:
        return None
    return asked[0]["content"], row.get("prefix", "") + row["chosen"]

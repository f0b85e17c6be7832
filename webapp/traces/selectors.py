"""Reads of prompts as the loop's records."""

from __future__ import annotations

from collections.abc import Iterable

from loop import records
from webapp.projects.models import Prompt


def prompt_records(ids: Iterable[int]) -> list[records.Prompt]:
    """The prompts with these keys, in that order.

    Raises:
        LookupError: one of them is gone.
    """
    wanted = list(ids)
    rows = Prompt.objects.in_bulk(wanted)
    if missing := [pk for pk in wanted if pk not in rows]:
        raise LookupError(f"{len(missing)} prompts are gone, the first is {missing[0]}")
    return [rows[pk].record() for pk in wanted]

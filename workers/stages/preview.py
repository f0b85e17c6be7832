"""A preview of a run: which passages of sample rows would be trained. Reads a tokenizer, never a model."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from loop.records import TrainRow
from webapp.curate.services import dataset_rows
from webapp.iterations.selectors import training_of
from webapp.iterations.services import unit_completion
from workers.lease import Lease, patiently
from workers.models import base_path

_ROWS = TypeAdapter(list[TrainRow])


def run(unit: Any, lease: Lease) -> None:
    from workers.trainers.preview import trained_spans

    lease.report(message="encoding the rows")
    training = training_of(unit)
    rows = _ROWS.validate_python(dataset_rows(dataset=training.dataset))
    result = trained_spans(rows, training.finetune, base_path(unit.project.base), unit.payload["rows"])
    lease.check()

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            held.result = result

    patiently(write)

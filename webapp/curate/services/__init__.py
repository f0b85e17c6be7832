"""Writes of curation: examples, their rejection, dataset versions."""

from webapp.curate.services.deriving import examples_derive
from webapp.curate.services.freezing import dataset_compose, dataset_freeze, dataset_rows, dataset_stream
from webapp.curate.services.rejecting import RejectionError, examples_accept, examples_reject, rejection_undo

__all__ = [
    "RejectionError",
    "dataset_compose",
    "dataset_freeze",
    "dataset_rows",
    "dataset_stream",
    "examples_accept",
    "examples_derive",
    "examples_reject",
    "rejection_undo",
]

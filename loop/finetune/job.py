"""A training run's whole input, frozen: written once as ``job.json`` beside ``rows.jsonl``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from loop.recipe_parts import FinetunePart


class TrainJob(BaseModel):
    """Everything a trainer needs besides the rows. Paths are absolute.

    ``start_adapter`` is None for a fresh LoRA on the base. For DPO it is also the reference policy
    (the weights that wrote the samples), or the bare base when None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str  # unique name; the adapter is registered under it, never reused
    base: str  # Hugging Face folder or hub id
    start_adapter: str | None = None
    finetune: FinetunePart
    seed: int = 0
    rows_sha256: str = ""
    save_every_steps: int = 20

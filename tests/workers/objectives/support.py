"""Small trainers on the tiny model, without run folders, and what they do to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from loop.recipe_parts import FinetunePart
from loop.records import Message, RowKind, TrainRow

QUESTION = (Message("user", "What is 3 + 4?"),)


def tokens_of(base: Path) -> Any:
    from transformers import AutoTokenizer

    from workers.engines.tokens import ChatTokens

    return ChatTokens(AutoTokenizer.from_pretrained(base))


def common(micro: int, accum: int, rate: float, epochs: float) -> dict[str, Any]:
    return {
        "output_dir": "unused",
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": accum,
        "num_train_epochs": epochs,
        "learning_rate": rate,
        "lr_scheduler_type": "constant",
        "optim": "sgd",  # an update is as large as its gradient
        "max_grad_norm": 0.0,
        "logging_steps": 1,
        "save_strategy": "no",
        "seed": 5,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
        "remove_unused_columns": False,
        "max_length": None,
        "report_to": "none",
        "disable_tqdm": True,
    }


def parts_of(
    base: Path,
    objective: str,
    rows: list[TrainRow],
    *,
    micro: int | None = None,
    accum: int | None = None,
    start: Path | None = None,
    rate: float = 0.05,
    epochs: float = 1,
    **settings: Any,
) -> Any:
    """What the objective's `build` takes. An update has ``batch_size`` x ``grad_accum`` rows, however
    ``micro`` and ``accum`` cut it."""
    from datasets import Dataset
    from peft import LoraConfig, PeftModel
    from transformers import set_seed

    from workers.trainers.objectives import Parts, load_causal, objective_named

    part = FinetunePart(objective=objective, **{"batch_size": 4, "max_length": 256} | settings)
    tokens = tokens_of(base)
    encoded = objective_named(objective).encode(rows, tokens, part)
    options = {"train_dataset": Dataset.from_list(encoded.rows), "processing_class": tokens.tokenizer}
    set_seed(5)
    model = load_causal(base, "float32")
    if start:
        model = PeftModel.from_pretrained(model, start, is_trainable=True)
    else:
        options["peft_config"] = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    cut = common(micro or part.batch_size, accum or part.grad_accum, rate, epochs)
    return Parts(model, part, tokens, encoded.rows, cut, options, seed=5, cuda=False)


def trainer_of(base: Path, objective: str, rows: list[TrainRow], **options: Any) -> Any:
    from workers.trainers.objectives import objective_named

    return quiet(objective_named(objective).build(parts_of(base, objective, rows, **options)))


def quiet(trainer: Any) -> Any:
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    trainer.accelerator.free_memory = lambda *held: list(held)  # a collection costs more than these runs
    return trainer


def curve(trainer: Any) -> list[float]:
    """Train; the loss of each update."""
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def adapter(trainer: Any) -> Any:
    """The trained weights as one vector."""
    import torch

    named = trainer.model.named_parameters()
    return torch.cat([p.detach().flatten() for name, p in named if ".default." in name])


def log_probs(model: Any, context: list[int], ids: list[int]) -> Any:
    """Of each of ``ids`` after ``context``, by a plain forward; (tokens,)."""
    import torch

    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*context, *ids]])).logits[0]
    of_all = logits.log_softmax(-1)[len(context) - 1 : -1]
    return of_all.gather(1, torch.tensor(ids)[:, None])[:, 0]


def reference(trainer: Any, context: list[int], ids: list[int]) -> Any:
    """The same of what training started from, for a fresh adapter."""
    with trainer.model.disable_adapter():
        return log_probs(trainer.model, context, ids)


def outcome(i: int, label: bool, base: Path | None = None, **more: Any) -> TrainRow:
    """A response called right or wrong; with ``base``, as if that model had sampled it."""
    messages, text = (Message("user", f"What is {i} + 4?"),), f"{i} + 4 = {i + 4 if label else i + 57}"
    row = TrainRow(RowKind.OUTCOME, f"p{i}", messages, text, label=label, reward=float(label), **more)
    return sampled(row, base) if base else row


def sampled(row: TrainRow, base: Path) -> TrainRow:
    from dataclasses import replace

    from workers.trainers.objectives import load_causal

    tokens = tokens_of(base)
    ids = [*tokens.text_ids(row.chosen), *tokens.turn_end_ids()]
    found = log_probs(load_causal(base, "float32"), tokens.prompt_ids(row.messages), ids)
    return replace(row, token_ids=tuple(ids), logprobs=tuple(found.tolist()))


def pair(i: int, **more: Any) -> TrainRow:
    return TrainRow(
        RowKind.STEP_PAIR,
        f"p{i}",
        (Message("user", f"What is {i} + 4?"),),
        f" {i + 4}",
        rejected=f" {i + 5}00",
        prefix=f"{i} + 4 =",
        ends=i % 2 == 0,
        **more,
    )


def sample(i: int, **more: Any) -> TrainRow:
    messages = (Message("user", f"What is {i} + 4?"),)
    return TrainRow(RowKind.SAMPLE, f"p{i}", messages, f"{i} + 4 = {i + 4}" + "." * (i % 5), **more)

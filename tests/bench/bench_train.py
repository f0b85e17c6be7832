"""LoRA runs as Whetstone trains them beside plain TRL with its defaults, in one process: tokens/s and MFU.

``./run bench bench_train [--rows 640] [--rounds 2] [--model FOLDER]``. On a CPU the seed model on rows of its
own task; with a CUDA device also a randomly initialised Qwen3-shaped model of 1.5 B parameters in bf16, on
made-up rows of like spread. Both sides train the same token ids with the same LoRA, learning rate, epochs
and batch; what else differs are TRL's defaults (bf16, recomputed activations, batches of mixed lengths) and
what a run of ours does besides (live lines, checkpoints, the dry run of the longest rows). On a CPU TRL is
also run without bf16 and recomputation, which no CPU profits from. Only ``trainer.train()`` is timed; sides
take turns.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from workers.engines.memory import share_the_cpu

# ruff: noqa: E402  (threads, and that nothing is fetched, are settled before torch is imported)
share_the_cpu()
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback

from loop.finetune.job import TrainJob
from loop.recipe_parts import FinetunePart
from loop.records import Message, RowKind, TrainRow
from workers.trainers.flops import EXTRA_FORWARDS, flops_per_token, matrix_parameters
from workers.trainers.progress import Progress
from workers.trainers.rows import dump_rows
from workers.trainers.train import Run

ROOT = Path(__file__).parents[2]

SEED_MODEL = ROOT / "workers" / "seed" / "model"
Side = Callable[[], dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=SEED_MODEL)
    parser.add_argument("--rows", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    result: dict[str, Any] = {
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "runs": [],
    }
    with tempfile.TemporaryDirectory(prefix="bench-train-") as folder:
        made = Path(folder)
        cases = [(options.model, arithmetic_rows(options.rows), 512, options.batch)]
        if torch.cuda.is_available():
            cases.append((qwen3_shaped(made / "qwen3"), long_rows(options.rows), 2048, 8))
        for base, rows, longest, batch in cases:
            for objective in ("sft", "dpo"):
                result["runs"].append(
                    compared(made, base, rows[objective], objective, longest, batch, options.rounds)
                )
    target = ROOT / "var" / "bench" / "train.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def compared(
    made: Path, base: Path, rows: list[TrainRow], objective: str, longest: int, batch: int, rounds: int
) -> dict[str, Any]:
    settings = FinetunePart(objective=objective, epochs=1, batch_size=batch, max_length=longest)
    cuda = torch.cuda.is_available()
    sides: dict[str, Side] = {
        "ours": lambda: ours(made, base, rows, settings),
        "trl_defaults": lambda: plain_trl(made, base, rows, settings, {}),
    }
    if not cuda:
        lean = {"bf16": False, "gradient_checkpointing": False}
        sides["trl_without_bf16_and_recomputing"] = lambda: plain_trl(made, base, rows, settings, lean)
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            figures[name].append(side())
    out: dict[str, Any] = {"model": base.name, "objective": objective, "rows": len(rows), "batch": batch}
    for name, measured in figures.items():
        out[name] = {key: round(statistics.median(m[key] for m in measured), 4) for key in measured[0]}
    for name in sides:
        if name != "ours":
            ratio = out["ours"]["tokens_per_s"] / out[name]["tokens_per_s"]
            out[f"ratio_to_{name}"] = round(ratio, 2)
    return out


def ours(made: Path, base: Path, rows: list[TrainRow], settings: FinetunePart) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=made) as folder:
        run_dir = Path(folder)
        sha = dump_rows(rows, run_dir / "rows.jsonl")
        job = TrainJob(run="bench", base=str(base), finetune=settings, seed=1, rows_sha256=sha)
        (run_dir / "job.json").write_text(job.model_dump_json(), encoding="utf-8")
        run, progress = (
            Run(run_dir, job, rows),
            Progress(run_dir, {}, EXTRA_FORWARDS.get(settings.objective, 0)),
        )
        trainer = run._trainer(progress, settings.batch_size, settings.grad_accum)
        began, cpu = time.perf_counter(), time.process_time()
        trainer.train()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        return figures_of(trainer, progress.tokens, progress.cells, seconds, cpu, settings, progress.peak)


def plain_trl(
    made: Path, base: Path, rows: list[TrainRow], settings: FinetunePart, options: dict[str, Any]
) -> dict[str, float]:
    """TRL's own trainer on the same ids, everything else as it comes."""
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    from workers.engines.tokens import ChatTokens, model_end_ids
    from workers.trainers.objectives import objective_named

    cuda = torch.cuda.is_available()
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16 if cuda else torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokens = ChatTokens(tokenizer, model_end_ids(model))
    encoded = objective_named(settings.objective).encode(rows, tokens, settings).rows
    keep = ("input_ids", "labels", "prompt_ids", "chosen_ids", "rejected_ids")
    dataset = Dataset.from_list([{k: row[k] for k in keep if k in row} for row in encoded])

    class Own:
        def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
            return dataset  # the ids are there; tokenising is not what is timed

    class SFT(Own, SFTTrainer):
        pass

    class DPO(Own, DPOTrainer):
        pass

    with tempfile.TemporaryDirectory(dir=made) as folder:
        common = {
            "output_dir": folder,
            "per_device_train_batch_size": settings.batch_size,
            "num_train_epochs": settings.epochs,
            "learning_rate": settings.learning_rate,
            "use_cpu": not cuda,
            "report_to": "none",
            "disable_tqdm": True,
            "max_length": settings.max_length,
            **options,
        }
        lora = LoraConfig(
            r=settings.lora_rank,
            lora_alpha=settings.lora_alpha,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        shared = {"train_dataset": dataset, "processing_class": tokenizer, "peft_config": lora}
        trainer: Any = (
            SFT(model, args=SFTConfig(**common), **shared)
            if settings.objective == "sft"
            else DPO(model, args=DPOConfig(**common), **shared)
        )
        trainer.remove_callback(PrinterCallback)
        counted = [0, 0]
        collate = trainer.data_collator

        def counting(batch: list[dict[str, Any]]) -> Any:
            inputs = collate(batch)
            counted[0] += int(inputs["attention_mask"].sum())
            counted[1] += inputs["attention_mask"].numel()
            return inputs

        trainer.data_collator = counting
        began, cpu = time.perf_counter(), time.process_time()
        trainer.train()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        return figures_of(trainer, counted[0], counted[1], seconds, cpu, settings, None)


_PEAK: list[float] = []


def figures_of(
    trainer: Any,
    tokens: int,
    cells: int,
    seconds: float,
    cpu: float,
    settings: FinetunePart,
    peak: float | None,
) -> dict[str, float]:
    """MFU counts the same useful FLOPs for both sides: what recomputing adds is not useful."""
    if peak:
        _PEAK[:] = [max(peak, *_PEAK) if _PEAK else peak]
    useful = flops_per_token(
        matrix_parameters(trainer.model),
        recomputed=False,
        extra_forwards=EXTRA_FORWARDS.get(settings.objective, 0) or 0,
    )
    return {
        "tokens_per_s": tokens / seconds,
        "cpu_ms_per_token": 1000 * cpu / tokens,
        "mfu_useful": tokens / seconds * useful / _PEAK[0],
        "padding_share": 1 - tokens / cells,
        "seconds": seconds,
    }


def arithmetic_rows(n: int) -> dict[str, list[TrainRow]]:
    """Solutions of the seed task, and pairs of a right and a planted wrong one."""
    from loop.domains.arithmetic.check import solve_from
    from loop.domains.arithmetic.generate import generate
    from loop.domains.arithmetic.mistakes import plant
    from loop.records import Split
    from workers.seed.data import TERSE

    rng, sft, dpo = Random(7), list[TrainRow](), list[TrainRow]()
    for prompt in generate(n, 2718, Split.TRAIN):
        messages, right = TERSE.solve(prompt), "\n".join(solve_from(prompt))
        wrong = "\n".join(plant(prompt, rng)[0])
        sft.append(TrainRow(RowKind.SAMPLE, prompt.id, messages, right))
        dpo.append(TrainRow(RowKind.PREFERENCE, prompt.id, messages, right, rejected=wrong))
    return {"sft": sft, "dpo": dpo}


def long_rows(n: int) -> dict[str, list[TrainRow]]:
    """Rows of 100 to 1800 tokens, spread as chains of thought are: many short, few long."""
    rng, sft, dpo = Random(7), list[TrainRow](), list[TrainRow]()
    for i in range(n):
        sizes = [min(1800, int(rng.lognormvariate(6.0, 0.7))) + 100 for _ in range(2)]
        texts = ["".join(rng.choices("0123456789", k=size)) for size in sizes]
        messages = (Message("user", "".join(rng.choices("0123456789", k=100))),)
        sft.append(TrainRow(RowKind.SAMPLE, f"p{i}", messages, texts[0]))
        dpo.append(TrainRow(RowKind.PREFERENCE, f"p{i}", messages, texts[0], rejected=texts[1]))
    return {"sft": sft, "dpo": dpo}


def qwen3_shaped(folder: Path) -> Path:
    """A random model of Qwen3's kind with 1.5 B parameters; the seed model's tokenizer, digits one by one."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(SEED_MODEL)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = Qwen3Config(
        vocab_size=151936,
        hidden_size=2048,
        intermediate_size=6144,
        num_hidden_layers=24,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main()

"""One training run in this process: model, adapter, trainer, checkpoints, the finished adapter."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoTokenizer, PrinterCallback, set_seed

from loop.finetune.artifacts import ArtifactError, verified, write_manifest
from loop.finetune.job import TrainJob
from loop.finetune.objectives import OBJECTIVES
from loop.records import TrainRow
from workers.engines.canary import canary_of
from workers.engines.hashes import base_sha, model_folder, template_sha, tokenizer_sha, weight_files
from workers.engines.memory import is_out_of_memory, release
from workers.engines.tokens import ChatTokens, model_end_ids, quieten
from workers.trainers.checkpoints import aside, newest_checkpoint
from workers.trainers.encode import Encoded
from workers.trainers.ends import refuse_endless, refuse_template
from workers.trainers.flops import EXTRA_FORWARDS
from workers.trainers.lengths import longest_first, row_length
from workers.trainers.lora import fuse_lora
from workers.trainers.objectives import Parts, load_causal, objective_named, start_from
from workers.trainers.progress import Paused, Progress, rewind
from workers.trainers.rehearsal import rehearse
from workers.trainers.run import first_process
from workers.trainers.trouble import DiskFull, full_disk

log = logging.getLogger(__name__)

PACKAGES = ("torch", "transformers", "peft", "trl")


class Run:
    """A run folder's job, read and checked. Building one does everything that bad input can break.

    Raises:
        ValueError: rows, template, adapter or model cannot be used; the message says why.
        FileNotFoundError: the model or a file of the run is missing.
    """

    def __init__(self, run_dir: Path, job: TrainJob, rows: Sequence[TrainRow]) -> None:
        quieten()
        self.run_dir, self.job, self.settings = run_dir, job, job.finetune
        self.shares = self._shares()
        self.folder = model_folder(job.base)
        weight_files(self.folder)
        self.cuda = torch.cuda.is_available()
        self.job_sha = hashlib.sha256(
            job.model_dump_json().encode() + (run_dir / "rows.jsonl").read_bytes()
        ).hexdigest()
        if job.start_adapter:
            trained_on = verified(Path(job.start_adapter)).get("base_sha")
            if trained_on and trained_on != base_sha(job.base):
                raise ArtifactError(f"{job.start_adapter} was trained on another base model than {job.base}")
        self.objective = objective_named(self.settings.objective)
        self.tokenizer = AutoTokenizer.from_pretrained(self.folder)
        self.model = self._load()
        self.tokens = ChatTokens(self.tokenizer, model_end_ids(self.model))
        refuse_template(rows, self.tokens)
        self.encoded: Encoded = self.objective.encode(rows, self.tokens, self.settings)
        if not self.encoded.rows:
            reasons = ", ".join(f"{n} {why}" for why, n in self.encoded.dropped.items()) or "there are none"
            raise ValueError(f"no rows to train on: of {len(rows)} rows, {reasons}")
        self.ends_trained = refuse_endless(rows, self.encoded.rows, self.tokens, self.settings.objective)

    def _load(self) -> Any:
        dtype = torch.bfloat16 if self.cuda else torch.float32
        try:
            return getattr(self.objective, "load", load_causal)(self.folder, dtype)
        except Exception as error:  # safetensors, transformers and torch each have their own
            raise ValueError(f"the model in {self.folder} cannot be read: {error}") from error

    # -- training

    def train(self) -> Path:
        """Train to the end and return the finished adapter's folder.

        Memory is tried on the longest rows before the first update. Where it does not suffice, activations
        are computed again instead of kept, then the micro-batch is halved and the accumulation doubled: an
        update still sees the same rows.

        Raises:
            MemoryError: a single row does not fit.
            DiskFull: no room for a checkpoint or the adapter; nothing half-written stays.
            Cancelled, Paused, Diverged: see `workers.trainers.progress`.
        """
        try:
            return self._train()
        except Exception as error:
            sentence = full_disk(error, self.run_dir)
            if sentence is None:
                raise
            for half in (aside(self.run_dir), self.run_dir / "adapter.tmp"):
                shutil.rmtree(half, ignore_errors=True)
            raise DiskFull(sentence) from error

    def _train(self) -> Path:
        micro, accum = self.shares
        recompute = False
        while True:
            checkpoint = newest_checkpoint(self.run_dir, self.job_sha)
            before = (
                rewind(self.run_dir, int(checkpoint.name) if checkpoint else 0) if first_process() else {}
            )
            progress: Any = Progress(self.run_dir, before, EXTRA_FORWARDS.get(self.settings.objective, 0))
            try:
                trainer = self._trainer(progress, micro, accum, recompute)
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
                if progress.paused:
                    raise Paused(f"paused at step {trainer.state.global_step}; a checkpoint was written")
                return self._finish(trainer, progress)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                least = getattr(self.objective, "SMALLEST_BATCH", 1)
                smaller = [d for d in range(2, micro + 1) if micro % d == 0 and micro // d >= least]
                if self.cuda and not recompute:
                    recompute = True
                elif smaller:
                    micro, accum = micro // smaller[0], accum * smaller[0]
                else:
                    longest = max(map(row_length, self.encoded.rows))
                    raise MemoryError(
                        f"one row of up to {longest} tokens does not fit in memory; lower max_length"
                    ) from error
            trainer = progress = None  # its memory is wanted, and progress holds it
            log.warning("out of memory: continuing with %d rows at once, recompute=%s", micro, recompute)
            self.model = None
            release()
            self.model = self._load()

    def _shares(self) -> tuple[int, int]:
        """Rows at once and how often per update, for each of the processes.

        Raises:
            ValueError: an update's rows cannot be shared out evenly.
        """
        world, s = int(os.environ.get("WORLD_SIZE", "1")), self.settings
        micro = max(1, s.batch_size // world)
        accum, rest = divmod(s.batch_size * s.grad_accum, micro * world)
        if rest:
            raise ValueError(
                f"{s.batch_size} x {s.grad_accum} rows per update cannot be shared by {world} processes;"
                " choose a batch_size that is a multiple of their number"
            )
        return micro, accum

    def _trainer(self, progress: Progress, micro: int, accum: int, recompute: bool = False) -> Any:
        set_seed(self.job.seed)  # before the adapter's random half is drawn
        s = self.settings
        common = {
            "output_dir": str(aside(self.run_dir)),
            "per_device_train_batch_size": micro,
            "gradient_accumulation_steps": accum,
            "num_train_epochs": s.epochs,
            "learning_rate": s.learning_rate,
            "warmup_steps": 0.05,
            "logging_steps": 1,
            "save_strategy": "steps",
            "save_steps": self.job.save_every_steps,
            "seed": self.job.seed,
            "data_seed": self.job.seed,
            "use_cpu": not self.cuda,
            "bf16": self.cuda,
            "gradient_checkpointing": recompute,
            "dataloader_pin_memory": self.cuda,
            "remove_unused_columns": False,
            "max_length": None,  # too long rows are gone already
            "report_to": "none",
            "disable_tqdm": True,
        }
        rows = Dataset.from_list(self.encoded.rows)
        options = {"train_dataset": rows, "processing_class": self.tokenizer, "callbacks": [progress]}
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token  # TRL insists; padding is masked by position
        if self.job.start_adapter:
            begin = getattr(self.objective, "start", start_from)
            model = begin(self.model, Path(self.job.start_adapter))
            # Our adapters name no path; PEFT looks for the base's config there whenever it saves.
            model.peft_config["default"].base_model_name_or_path = str(self.folder)
        else:
            model = self.model
            options["peft_config"] = LoraConfig(
                r=s.lora_rank,
                lora_alpha=s.lora_alpha,
                lora_dropout=0.0,
                target_modules="all-linear",
                task_type=getattr(self.objective, "TASK", "CAUSAL_LM"),
            )
        parts = Parts(
            model, s, self.tokens, self.encoded.rows, common, options, seed=self.job.seed, cuda=self.cuda
        )
        trainer: Any = self.objective.build(parts)
        fuse_lora(trainer.model)
        trainer.remove_callback(PrinterCallback)
        trainer.processing_class = None  # or every checkpoint would hold the tokenizer
        trainer.run_dir, trainer.job_sha = self.run_dir, self.job_sha
        progress.trainer = trainer
        # An objective may have put rows together anew, and pair those that stand side by side.
        same = trainer.args.train_sampling_strategy == "random"
        trainer.lengths = [row_length(row) for row in self.encoded.rows] if same else ()
        progress.rehearse = lambda: rehearse(
            trainer, longest_first(self.encoded.rows if same else list(trainer.train_dataset))[:micro]
        )
        return trainer

    # -- the result

    def _finish(self, trainer: Any, progress: Progress) -> Path:
        """Write the adapter aside, its manifest last, and rename it into place."""
        tmp, target = self.run_dir / "adapter.tmp", self.run_dir / "adapter"
        options = {"selected_adapters": ["default"], "save_embedding_layers": False}
        if trainer.args.world_size > 1:  # every process gives its shard; the first writes
            options["state_dict"] = trainer.accelerator.get_state_dict(trainer.model_wrapped)
            if not first_process():
                return target
        shutil.rmtree(tmp, ignore_errors=True)
        # Only the trained adapter (DPO keeps a frozen copy called "ref"), and never look for the base online.
        trainer.accelerator.unwrap_model(trainer.model).save_pretrained(tmp, **options)
        for path in tmp.iterdir():
            if path.name not in ("adapter_model.safetensors", "adapter_config.json"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._tidy_config(tmp / "adapter_config.json")
        last = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry][-10:]
        write_manifest(
            tmp,
            {
                "run": self.job.run,
                "base": self._base_name(),
                "base_sha": base_sha(self.job.base),
                "tokenizer_sha": tokenizer_sha(self.job.base),
                "template_sha": template_sha(self.job.base),
                "objective": self.settings.objective,
                "finetune": self.settings.model_dump(mode="json"),
                "rows": len(self.encoded.rows),
                "dropped": dict(self.encoded.dropped),
                "rows_sha256": self.job.rows_sha256,
                "steps": trainer.state.global_step,
                "final_loss": round(sum(last) / len(last), 6) if last else None,
                "seed": self.job.seed,
                "seconds": round(progress.seconds, 1),
                "tokens": progress.tokens,
                **progress.rates(),
                "peak_flops": progress.peak and float(f"{progress.peak:.3g}"),
                "peak_from": progress.peak_from,
                "ends_trained": self.ends_trained,
                **self._canary(trainer),
                "device": torch.cuda.get_device_name() if self.cuda else "cpu",
                "versions": {name: version(name) for name in PACKAGES},
            },
        )
        shutil.rmtree(target, ignore_errors=True)  # only ever there without a valid manifest
        tmp.rename(target)
        shutil.rmtree(self.run_dir / "checkpoints", ignore_errors=True)
        shutil.rmtree(aside(self.run_dir), ignore_errors=True)
        return target

    def _canary(self, trainer: Any) -> dict[str, Any]:
        """What the adapter says of fixed texts here, to be compared where it is loaded. Scorers write
        nothing: theirs is first read there; and of several processes none has all the weights."""
        if OBJECTIVES[self.settings.objective].gives != "policy" or trainer.args.world_size > 1:
            return {}
        with torch.no_grad():
            return {"canary": canary_of(trainer.model, self.tokens)}

    def _tidy_config(self, path: Path) -> None:
        """The same training must give the same bytes; PEFT writes hash order and the base's path."""
        config = json.loads(path.read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = self._base_name()
        if isinstance(config.get("target_modules"), list):
            config["target_modules"].sort()
        path.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def _base_name(self) -> str:
        base = Path(self.job.base)
        return base.name if base.is_dir() else self.job.base

"""What a training run does to the model: direction, exactness, determinism, resume, refusals."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loop.finetune.artifacts import read_manifest, verify
from loop.model import ScoreRequest
from loop.records import Message, RowKind, TrainRow
from tests.workers.tiny import make_adapter, make_model
from tests.workers.training import make_run, pair_rows, sft_rows
from workers.engines.transformers_engine import TransformersEngine
from workers.trainers.progress import Cancelled, Progress
from workers.trainers.run import BAD_INPUT, CANCELLED, DONE, HOPELESS, main

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]


def weights(run: Path) -> bytes:
    return (run / "adapter" / "adapter_model.safetensors").read_bytes()


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()]


def totals(base: Path, rows: list[TrainRow], adapter: Path | None, side: str = "chosen") -> list[float]:
    engine = TransformersEngine(str(base), {"it": adapter} if adapter else {}, device="cpu")
    name = "it" if adapter else None
    requests = [ScoreRequest(r.messages, getattr(r, side), r.prefix, name) for r in rows]
    return [s.total for s in engine.score(requests)]


def fingerprint(base: Path) -> str:
    return hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()


def test_sft_raises_what_it_was_shown_and_leaves_the_base_alone(base: Path, tmp_path: Path) -> None:
    rows, before = sft_rows(), fingerprint(base)
    run = make_run(tmp_path / "run", base, rows, epochs=10)
    assert main([str(run)]) == DONE
    assert not verify(run / "adapter")
    untrained, trained = totals(base, rows, None), totals(base, rows, run / "adapter")
    assert all(t > u + 3 for t, u in zip(trained, untrained, strict=True))
    assert fingerprint(base) == before
    manifest = read_manifest(run / "adapter")
    assert (manifest["rows"], manifest["steps"], manifest["seed"], manifest["base"]) == (12, 30, 3, base.name)
    assert sorted(manifest["files"]) == ["adapter_config.json", "adapter_model.safetensors"]
    progress = lines(run)
    assert [p["step"] for p in progress] == list(range(1, 31))
    assert progress[-1]["loss"] < progress[0]["loss"] / 2
    assert progress[-1]["time_left_s"] == 0
    assert 0 < progress[-1]["padding_share"] < 0.5


def test_dpo_moves_the_two_sides_apart(qwen3: Path, tmp_path: Path) -> None:
    base, rows = qwen3, pair_rows()
    run = make_run(tmp_path / "run", base, rows, objective="dpo", epochs=6)
    assert main([str(run)]) == DONE

    def margin(adapter: Path | None) -> list[float]:
        sides = (totals(base, rows, adapter, side) for side in ("chosen", "rejected"))
        return [c - r for c, r in zip(*sides, strict=True)]

    assert all(t > u + 1 for t, u in zip(margin(run / "adapter"), margin(None), strict=True))
    assert lines(run)[-1]["extra"]["margin"] > 0
    # In so short a run both sides fall, as preference training is known to do; the curve must show it.
    chosen = [sum(totals(base, rows, adapter, "chosen")) for adapter in (run / "adapter", None)]
    assert chosen[0] < chosen[1]
    assert lines(run)[-1]["extra"]["chosen_change"] < 0


def test_dpo_against_a_start_adapter_begins_at_zero_margin(qwen3: Path, tmp_path: Path) -> None:
    start = make_adapter(qwen3, tmp_path / "start")
    run = make_run(tmp_path / "run", qwen3, pair_rows(), objective="dpo", job={"start_adapter": str(start)})
    assert main([str(run)]) == DONE
    assert lines(run)[0]["extra"]["margin"] == pytest.approx(0, abs=1e-4)
    assert lines(run)[0]["extra"]["chosen_change"] == pytest.approx(0, abs=1e-3)
    assert lines(run)[0]["loss"] == pytest.approx(0.6931, abs=1e-3)
    assert sorted(p.name for p in (run / "adapter").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "manifest.json",
    ]
    assert weights(run) != (start / "adapter_model.safetensors").read_bytes()


def test_sft_from_a_start_adapter_goes_on_from_it(llama: Path, tmp_path: Path) -> None:
    rows = sft_rows()
    first = make_run(tmp_path / "first", llama, rows, epochs=5)
    assert main([str(first)]) == DONE
    second = make_run(tmp_path / "second", llama, rows, job={"start_adapter": str(first / "adapter")})
    assert main([str(second)]) == DONE
    assert lines(second)[0]["loss"] < lines(first)[0]["loss"] - 0.5
    assert sum(totals(llama, rows, second / "adapter")) > sum(totals(llama, rows, first / "adapter"))


def test_two_runs_give_the_same_bytes(qwen3: Path, tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name, qwen3, sft_rows()) for name in ("a", "b")]
    assert [main([str(run)]) for run in runs] == [DONE, DONE]
    assert weights(runs[0]) == weights(runs[1])
    other = make_run(tmp_path / "c", qwen3, sft_rows(), job={"seed": 4})
    assert main([str(other)]) == DONE
    assert weights(other) != weights(runs[0])


@pytest.mark.parametrize("objective", ["sft", "dpo"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    objective: str, llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pair_rows() if objective == "dpo" else sft_rows()
    job = {"start_adapter": str(make_adapter(llama, tmp_path / "start"))} if objective == "dpo" else {}
    whole = make_run(tmp_path / "whole", llama, rows, objective=objective, job=job)
    assert main([str(whole)]) == DONE
    broken = make_run(tmp_path / "broken", llama, rows, objective=objective, job=job)
    (broken / "job.json").write_text((broken / "job.json").read_text().replace('"broken"', '"whole"'))
    stop_at(7, monkeypatch)
    assert main([str(broken)]) == CANCELLED
    assert "cancelled" in (broken / "error.txt").read_text()
    assert [p.name for p in (broken / "checkpoints").iterdir()] == ["4"]
    monkeypatch.undo()
    assert main([str(broken)]) == DONE
    assert not (broken / "error.txt").exists()
    assert weights(broken) == weights(whole)
    assert [p["loss"] for p in lines(broken)] == [p["loss"] for p in lines(whole)]


def stop_at(
    step: int, monkeypatch: pytest.MonkeyPatch, stop: Callable[[], BaseException] | None = None
) -> None:
    original = Progress.on_step_end

    def on_step_end(self: Progress, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        original(self, args, state, control, **kwargs)
        if state.global_step == step:
            raise stop() if stop else Cancelled("cancelled")

    monkeypatch.setattr(Progress, "on_step_end", on_step_end)


def test_a_half_written_checkpoint_is_passed_over(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_run(tmp_path / "run", llama, sft_rows(), job={"save_every_steps": 3})
    assert main([str(whole)]) == DONE
    want = weights(whole)
    shutil.rmtree(whole / "adapter")
    stop_at(8, monkeypatch)
    assert main([str(whole)]) == CANCELLED
    monkeypatch.undo()
    assert sorted(p.name for p in (whole / "checkpoints").iterdir()) == ["3", "6"]
    newest = whole / "checkpoints" / "6"
    optimizer = newest / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:100])  # the disk lied
    (whole / "checkpoints" / "7").mkdir()  # killed before the manifest
    (whole / "checkpoints" / "7" / "adapter_model.safetensors").write_bytes(b"half")
    (whole / "checkpoints.tmp" / "checkpoint-8").mkdir(parents=True)  # killed before the rename
    (whole / "adapter.tmp").mkdir()
    assert main([str(whole)]) == DONE
    assert weights(whole) == want
    assert [p["step"] for p in lines(whole)] == list(range(1, 10))


def test_a_finished_run_is_not_trained_again(llama: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", llama, sft_rows())
    assert main([str(run)]) == DONE
    stamp = (run / "progress.jsonl").stat().st_mtime_ns
    assert main([str(run)]) == DONE
    assert (run / "progress.jsonl").stat().st_mtime_ns == stamp


def test_out_of_memory_halves_the_batch_and_changes_nothing_else(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.trainers.objectives.sft import WeightedSFT

    plain = make_run(tmp_path / "plain", llama, sft_rows())
    assert main([str(plain)]) == DONE
    compute = WeightedSFT.compute_loss

    def small_machine(self: Any, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if len(inputs["input_ids"]) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return compute(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(WeightedSFT, "compute_loss", small_machine)
    split = make_run(tmp_path / "split", llama, sft_rows())
    assert main([str(split)]) == DONE
    assert [p["loss"] for p in lines(split)] == pytest.approx([p["loss"] for p in lines(plain)], rel=1e-3)


def test_one_row_that_does_not_fit_fails_plainly(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.trainers.objectives.sft import WeightedSFT

    def no_memory(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(WeightedSFT, "compute_loss", no_memory)
    run = make_run(tmp_path / "run", llama, sft_rows())
    assert main([str(run)]) == HOPELESS
    assert "does not fit in memory" in (run / "error.txt").read_text()


def test_a_broken_loss_stops_the_run(llama: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", llama, [replace(r, weight=float("inf")) for r in sft_rows()])
    (run / "rows.jsonl").write_text(
        (run / "rows.jsonl").read_text().replace('"weight":null', '"weight":1e40')
    )
    job = json.loads((run / "job.json").read_text())
    (run / "job.json").write_text(json.dumps(job | {"rows_sha256": ""}))
    assert main([str(run)]) == HOPELESS
    assert "no longer a number at step 1" in (run / "error.txt").read_text()


def test_weights_scale_a_rows_part_of_the_loss(llama: Path, tmp_path: Path) -> None:
    rows = [replace(r, weight=0.0 if i % 2 else 1.0) for i, r in enumerate(sft_rows())]
    run = make_run(tmp_path / "run", llama, rows, epochs=8)
    assert main([str(run)]) == DONE
    gains = [
        after - before
        for after, before in zip(totals(llama, rows, run / "adapter"), totals(llama, rows, None), strict=True)
    ]
    assert sum(gains[0::2]) > sum(gains[1::2])


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda run: (run / "job.json").unlink(), "job.json cannot be read"),
        (lambda run: (run / "job.json").write_text("{}"), "job.json: run: Field required"),
        (lambda run: (run / "rows.jsonl").write_text("{}\n"), "its sha256 differs"),
        (lambda run: change_job(run, rows_sha256="", rows="{oops\n"), "rows.jsonl line 1"),
        (lambda run: change_job(run, rows_sha256="", rows=""), "no rows to train on"),
        (lambda run: change_job(run, base="/nowhere/model"), "there is no folder /nowhere/model"),
        (lambda run: change_job(run, start_adapter=str(run)), "no manifest.json"),
    ],
)
def test_bad_input_gets_one_sentence(
    break_it: Callable[[Path], None], sentence: str, llama: Path, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", llama, sft_rows())
    break_it(run)
    assert main([str(run)]) == BAD_INPUT
    said = (run / "error.txt").read_text()
    assert sentence in said
    assert said.count("\n") == 1


def change_job(run: Path, rows: str | None = None, **changes: Any) -> None:
    if rows is not None:
        (run / "rows.jsonl").write_text(rows)
    (run / "job.json").write_text(json.dumps(json.loads((run / "job.json").read_text()) | changes))


def test_a_template_without_an_end_token_is_refused_only_for_rows_that_end(tmp_path: Path) -> None:
    template = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    endless = make_model(tmp_path / "endless", "llama", template=template)
    run = make_run(tmp_path / "ends", endless, sft_rows())
    assert main([str(run)]) == BAD_INPUT
    assert "writes no end token" in (run / "error.txt").read_text()
    steps = [replace(r, ends=False) for r in pair_rows()]
    assert main([str(make_run(tmp_path / "inner", endless, steps, objective="dpo"))]) == DONE


def test_long_and_useless_rows_are_dropped_and_counted(llama: Path, tmp_path: Path) -> None:
    rows = [
        *sft_rows(),
        TrainRow(RowKind.SAMPLE, "long", (Message("user", "x " * 300),), "y"),
        TrainRow(RowKind.SAMPLE, "void", (Message("user", "x"),), "", ends=False),
    ]
    run = make_run(tmp_path / "run", llama, rows, max_length=100)
    assert main([str(run)]) == DONE
    manifest = read_manifest(run / "adapter")
    assert (manifest["rows"], manifest["dropped"]) == (12, {"empty": 1, "too_long": 1})


def test_a_foreign_start_adapter_is_refused(llama: Path, qwen3: Path, tmp_path: Path) -> None:
    foreign = make_adapter(qwen3, tmp_path / "foreign")
    run = make_run(tmp_path / "run", llama, sft_rows(), job={"start_adapter": str(foreign)})
    assert main([str(run)]) == BAD_INPUT
    assert "another base model" in (run / "error.txt").read_text()

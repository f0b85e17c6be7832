"""A run by itself and a preview, from the request to the rows: real services, leases, stages and trainer."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from loop.recipe_parts import FinetunePart
from tests import factories as make
from tests.workers.training import sft_rows
from webapp.curate.models import Example
from webapp.curate.services import dataset_freeze
from webapp.iterations.models import RunPoint
from webapp.iterations.services import (
    preview_start,
    run_pause,
    run_resume,
    run_retry,
    run_start,
    unit_claim,
)
from workers.stages import train
from workers.tasks import work
from workers.trainers import supervise
from workers.trainers.progress import Progress
from workers.trainers.run import DISK_FULL, DONE, main

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]
PART = {"epochs": 3, "batch_size": 4, "learning_rate": 0.01, "lora_rank": 4, "lora_alpha": 8, "min_rows": 1}


@pytest.fixture
def project(llama: Path, tmp_path: Path, settings: Any) -> Any:
    settings.RUNS_DIR, settings.ADAPTERS_DIR = tmp_path / "runs", tmp_path / "adapters"
    settings.WORK_UNIT_LEASE = 0.2  # so that heartbeats follow one another closely
    return make.project_make(base=str(llama))


@pytest.fixture
def dataset(project: Any) -> Any:
    examples = []
    for i, row in enumerate(sft_rows()):
        prompt = make.prompt_make(project)
        examples.append(
            Example.objects.create(
                project=project,
                prompt=prompt,
                kind=row.kind.value,
                row=asdict(row),
                row_sha=f"{i:064x}",
                accepted_by="people",
            )
        )
    return dataset_freeze(project=project, examples=examples)


class InThisProcess:
    """`run_training` without the seconds that a process needs to start; ``at`` is called after its step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at: dict[int, Any] = {}
        self.folders: list[Path] = []
        original = Progress.on_step_end

        def on_step_end(progress: Progress, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if do := self.at.pop(state.global_step, None):
                do()
                deadline = time.monotonic() + 20
                while self.wish() is supervise.Wish.GO_ON and time.monotonic() < deadline:
                    time.sleep(0.01)
                supervise._ask_to_pause(progress.run_dir)
            original(progress, args, state, control, **kwargs)

        monkeypatch.setattr(Progress, "on_step_end", on_step_end)
        monkeypatch.setattr(train, "run_training", self)

    def __call__(self, folder: Path, on_progress: Any, wish: Any, launch: str) -> Any:
        self.wish, tail = wish, supervise._Tail(folder / "progress.jsonl")
        self.folders.append(folder)
        (folder / "pause").unlink(missing_ok=True)
        code = main([str(folder)])
        if lines := tail.new_lines():
            on_progress(lines)
        return supervise._finished(folder) if code == DONE else supervise._failed(folder, code)


def do(queue: str) -> None:
    unit = unit_claim(queue=queue)
    assert unit is not None
    work(unit.pk, unit.token, unit.kind)


def test_a_run_is_paused_goes_on_and_is_registered_with_its_curve(
    project: Any, dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = InThisProcess(monkeypatch)
    unit = run_start(
        project=project, dataset=dataset, finetune=FinetunePart(**PART), start=None, seed=3, by=None
    )
    trainer.at[5] = lambda: run_pause(unit=unit, by=None)
    do("train")
    unit.refresh_from_db()
    assert (unit.state, unit.held) == ("queued", True)
    assert [p.name for p in (trainer.folders[0] / "checkpoints").iterdir()] == ["5"]
    assert unit_claim(queue="train") is None

    run_resume(unit=unit, by=None)
    do("train")
    unit.refresh_from_db()
    assert unit.state == "done", unit.error
    version = project.model_versions.get(pk=unit.result["model_id"])
    assert (version.status, version.dataset_version, version.parent.number) == ("registered", dataset, 1)
    assert version.adapter_sha == unit.result["adapter_sha"]
    assert version.training["steps"] == 9
    assert version.training["ends_trained"] == 12
    points = list(RunPoint.objects.filter(unit=unit))
    assert [p.step for p in points] == list(range(1, 10))
    assert all(p.mfu and p.tokens_per_s and p.padding_share is not None for p in points)
    assert "grad_norm" in points[-1].extra
    assert trainer.folders[0] == trainer.folders[1]
    assert not (trainer.folders[0] / "checkpoints").exists()

    again = run_start(  # the same input: the same adapter, without a pause
        project=project, dataset=dataset, finetune=FinetunePart(**PART), start=None, seed=3, by=None
    )
    do("train")
    again.refresh_from_db()
    assert again.result["adapter_sha"] == unit.result["adapter_sha"]
    assert again.result["model"] != unit.result["model"]


def test_a_full_disk_fails_the_run_at_once_in_a_sentence_and_a_retry_goes_on(
    project: Any, dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = InThisProcess(monkeypatch)
    unit = run_start(
        project=project, dataset=dataset, finetune=FinetunePart(**PART), start=None, seed=3, by=None
    )
    calls = []
    real = trainer.__call__

    def full(folder: Path, **rest: Any) -> Any:
        calls.append(folder)
        return supervise._failed(folder, DISK_FULL)  # as when not even error.txt could be written

    monkeypatch.setattr(train, "run_training", full)
    do("train")
    unit.refresh_from_db()
    assert unit.state == "failed"
    assert f"no room left to write in {calls[0]}" in unit.error
    assert len(calls) == 1  # trying again as things stand cannot help
    monkeypatch.setattr(train, "run_training", real)
    run_retry(unit=unit, by=None)
    do("train")
    unit.refresh_from_db()
    assert unit.state == "done", unit.error


def test_a_preview_tells_what_would_be_trained(project: Any, dataset: Any) -> None:
    unit = preview_start(project=project, dataset=dataset, finetune=FinetunePart(), by=None)
    do("model")
    unit.refresh_from_db()
    assert unit.state == "done", unit.error
    assert len(unit.result["rows"]) == 8
    assert unit.result["rows"][0]["pieces"][-1] == ["<|im_end|>", "end"]
    assert (unit.result["ends_trained"], unit.result["refusal"]) == (12, "")

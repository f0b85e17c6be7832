"""Scorers in the engine: the trainer's own numbers, beside adapters that write, refused where unknown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loop.finetune.artifacts import ArtifactError, store_adapter, write_manifest
from loop.finetune.job import TrainJob
from loop.model import GenerateRequest, RewardRequest, ScoreRequest
from loop.records import Message, Sampling, TrainRow
from tests.workers.objectives.test_scorers import labelled, pairs
from tests.workers.tiny import make_adapter
from tests.workers.training import make_run

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]
ROWS = {"reward": pairs(), "prm": labelled()}


class Trained:
    """A scorer as a run leaves it in the store, and the numbers its trainer's model gave."""

    def __init__(self, base: Path, folder: Path, objective: str) -> None:
        from workers.trainers.rows import load_rows
        from workers.trainers.train import Run

        run_dir = make_run(folder / "run", base, ROWS[objective], objective=objective, epochs=6)
        job = TrainJob.model_validate_json((run_dir / "job.json").read_bytes())
        run = Run(run_dir, job, load_rows(run_dir / "rows.jsonl"))
        finish, self.after = run._finish, list[list[float]]()

        def numbers(trainer: Any) -> list[list[float]]:
            return [self.of(trainer, row) for row in run.encoded.rows]

        def finished(trainer: Any, *args: Any) -> Path:
            self.after = numbers(trainer)
            return finish(trainer, *args)

        run._finish = finished
        _, self.adapter = store_adapter(run.train(), folder / "store")

    @staticmethod
    def of(trainer: Any, row: dict[str, Any]) -> list[float]:
        """Chances by the plain forward of the trained model, one row at a time, no padding."""
        import torch

        model = trainer.model.eval()
        with torch.no_grad():
            if "chances" not in row:
                sides = [torch.tensor([row[s]]) for s in ("chosen_ids", "rejected_ids")]
                return [float(torch.sigmoid(model(input_ids=ids).logits[0, 0])) for ids in sides]
            said = torch.sigmoid(model(input_ids=torch.tensor([row["input_ids"]])).logits[0, :, 0])
            return [float(said[i]) for i, c in enumerate(row["chances"]) if c != -100]


def asked(row: TrainRow, adapter: str) -> list[RewardRequest]:
    if row.steps:
        return [RewardRequest(row.messages, row.chosen, tuple(end for end, _ in row.steps), adapter)]
    return [RewardRequest(row.messages, text, (), adapter) for text in (row.chosen, row.rejected or "")]


@pytest.fixture(scope="module")
def reward(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(llama, tmp_path_factory.mktemp("reward"), "reward")


@pytest.fixture(scope="module")
def prm(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(llama, tmp_path_factory.mktemp("prm"), "prm")


@pytest.fixture(scope="module")
def engine(llama: Path, reward: Trained, prm: Trained, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from workers.engines.transformers_engine import TransformersEngine

    policy = make_adapter(llama, tmp_path_factory.mktemp("policy"))
    adapters = {"rm": reward.adapter, "policy": policy, "prm": prm.adapter}
    return TransformersEngine(str(llama), adapters, max_batch_tokens=256)


def test_the_engine_says_what_the_trainer_said(engine: Any, reward: Trained, prm: Trained) -> None:
    """Through training, store and load: rows of several lengths padded together, two scorers."""
    requests = [r for row in ROWS["reward"] for r in asked(row, "rm")]
    requests += [r for row in ROWS["prm"] for r in asked(row, "prm")]
    found = engine.reward(requests)
    wanted = [(x,) for row in reward.after for x in row] + [tuple(row) for row in prm.after]
    assert [pytest.approx(w, abs=2e-6) for w in wanted] == found


def test_scorers_learned_to_tell_right_from_wrong(reward: Trained, prm: Trained) -> None:
    """From a head of zeros, so from 0.5 each."""
    for better, worse in [*reward.after, *prm.after]:
        assert better > 0.5 > worse
        assert better - worse > 0.5


def test_adapters_that_write_are_as_they_were(engine: Any, llama: Path, tmp_path: Path) -> None:
    from workers.engines.transformers_engine import TransformersEngine

    alone = TransformersEngine(str(llama), {"policy": make_adapter(llama, tmp_path)})
    messages = (Message("user", "What is 3 + 4?"),)
    for name in ("policy", None):
        score = [ScoreRequest(messages, "3 + 4 = 7", adapter=name)]
        engine.reward(asked(ROWS["prm"][0], "prm"))
        assert engine.score(score)[0].logprobs == pytest.approx(alone.score(score)[0].logprobs, abs=1e-5)
        write = [GenerateRequest(messages, Sampling(max_new_tokens=8), (1,), adapter=name)]
        assert engine.generate(write)[0][0].text == alone.generate(write)[0][0].text


@pytest.mark.parametrize(
    ("request_", "error", "says"),
    [
        (
            RewardRequest(ROWS["prm"][0].messages, "x", (), "policy"),
            LookupError,
            "it writes, it does not score",
        ),
        (RewardRequest(ROWS["prm"][0].messages, "x", (), "other"), LookupError, "no adapter called 'other'"),
        (RewardRequest(ROWS["prm"][0].messages, "x", (2,), "prm"), ValueError, "do not all lie"),
        (RewardRequest(ROWS["prm"][0].messages, "x" * 999, (), "rm"), ValueError, "longer together"),
    ],
)
def test_what_cannot_be_asked(engine: Any, request_: RewardRequest, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        engine.reward([request_])


def test_a_scorer_does_not_write(engine: Any) -> None:
    request = GenerateRequest((Message("user", "q"),), Sampling(max_new_tokens=1), (1,), adapter="prm")
    with pytest.raises(LookupError, match="it does not write"):
        engine.generate([request])


def changed(adapter: Path, folder: Path, change: Any) -> Path:
    """A copy of an adapter with other weights, its manifest anew."""
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(adapter, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").unlink()
    weights = load_file(folder / "adapter_model.safetensors")
    save_file(change(weights), folder / "adapter_model.safetensors")
    write_manifest(folder, {k: v for k, v in manifest.items() if k != "files"})
    return folder


def renamed(weights: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {k.replace(old, new): v for k, v in weights.items()}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: {k: v.repeat(2, 1) if k.endswith("score.weight") else v for k, v in w.items()}, "shape"),
        (lambda w: {k: v for k, v in w.items() if "score" not in k}, "this has none"),
        (lambda w: renamed(w, "score.weight", "classifier.weight"), "this has none"),
        (
            lambda w: w | {"base_model.model.v_head.weight": w["base_model.model.score.weight"] + 0},
            "no place for",
        ),
    ],
    ids=["two labels", "no head", "another head", "one more"],
)
def test_unknown_heads_are_refused_and_nothing_stays(
    engine: Any, prm: Trained, tmp_path: Path, change: Any, says: str
) -> None:
    folder = changed(prm.adapter, tmp_path / "odd", change)
    with pytest.raises(ArtifactError, match=says):
        engine.load_adapter("odd", folder)
    with pytest.raises(LookupError, match="no adapter called 'odd'"):
        engine.reward([replace(asked(ROWS["prm"][0], "prm")[0], adapter="odd")])
    assert len(engine.reward(asked(ROWS["prm"][0], "prm"))[0]) == 2

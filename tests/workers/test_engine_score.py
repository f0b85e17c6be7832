"""The transformers engine's scoring and its adapters."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from loop.finetune.artifacts import ArtifactError, write_manifest
from loop.model import GenerateRequest, ScoreRequest
from loop.records import Message, Sampling
from tests.workers.tiny import make_adapter
from workers.engines import engine_for
from workers.engines.canary import CanaryError, canary
from workers.engines.hashes import base_sha
from workers.engines.transformers_engine import TransformersEngine

pytestmark = pytest.mark.xdist_group("torch")

QUESTION = (Message("user", "What is 3 + 4?"),)
TEXTS = ["3 + 4 = 7", "The answer is 7.\nYes", "no", ""]


@pytest.fixture(scope="module")
def adapters(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("adapters")
    return {name: make_adapter(base, root / name, seed) for seed, name in enumerate(("first", "second"))}


@pytest.fixture(scope="module")
def engine(base: Path, adapters: dict[str, Path]) -> TransformersEngine:
    return TransformersEngine(str(base), adapters, device="cpu")


def scores(engine: TransformersEngine, adapter: str | None = None, prefix: str = "") -> list[float]:
    return [s.total for s in engine.score([ScoreRequest(QUESTION, t, prefix, adapter) for t in TEXTS])]


def test_scoring_a_greedy_answer_gives_its_sampling_logprobs(engine: TransformersEngine) -> None:
    for adapter in (None, "first"):
        for prefix in ("", "3 + "):
            request = GenerateRequest(QUESTION, Sampling(max_new_tokens=20), (0,), prefix, adapter)
            answer = engine.generate([request])[0][0]
            text_ids = [i for i in answer.token_ids if i not in engine.tokens.end_ids]
            if engine.tokens.text_ids(answer.text) != text_ids:
                continue  # the model wrote the text in tokens of its own choice
            scored = engine.score([ScoreRequest(QUESTION, answer.text, prefix, adapter)])[0]
            assert scored.token_ids == tuple(text_ids)
            assert scored.total == pytest.approx(sum(answer.logprobs[: len(text_ids)]), abs=1e-3)


def test_scores_do_not_depend_on_the_batch(engine: TransformersEngine) -> None:
    alone = [engine.score([ScoreRequest(QUESTION, t)])[0].total for t in TEXTS]
    assert scores(engine) == pytest.approx(alone, abs=1e-4)
    assert alone[-1] == 0.0


def test_scores_by_hand(engine: TransformersEngine) -> None:
    import torch

    context, completion = engine.tokens.prompt_ids(QUESTION), engine.tokens.text_ids("no")
    with engine._adapters.active(None) as model, torch.no_grad():
        logits = model(torch.tensor([context + completion])).logits[0].log_softmax(-1)
    want = [logits[len(context) - 1 + k, t].item() for k, t in enumerate(completion)]
    assert engine.score([ScoreRequest(QUESTION, "no")])[0].logprobs == pytest.approx(want, abs=1e-4)


def test_a_scoring_batch_that_does_not_fit_is_split(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    want, forward = scores(engine), engine.model.forward

    def small_machine(*args: object, **kwargs: object) -> object:
        if kwargs["input_ids"].shape[0] > 1:  # type: ignore[attr-defined]
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return forward(*args, **kwargs)

    monkeypatch.setattr(engine.model, "forward", small_machine)
    assert scores(engine) == pytest.approx(want, abs=1e-4)


def test_too_long_a_text_is_refused(engine: TransformersEngine) -> None:
    with pytest.raises(ValueError, match=r"completion of \d+ .*longer together.*256"):
        engine.score([ScoreRequest(QUESTION, "no " * 300)])


def test_adapters_change_the_answers_and_leave_the_base_alone(
    base: Path, engine: TransformersEngine, adapters: dict[str, Path]
) -> None:
    plain = TransformersEngine(str(base), device="cpu")
    assert scores(engine) == pytest.approx(scores(plain), abs=1e-5)
    assert scores(engine, "first") != pytest.approx(scores(engine, "second"), abs=1e-2)
    assert scores(engine, "first") != pytest.approx(scores(engine), abs=1e-2)
    before = scores(plain)
    plain.load_adapter("late", adapters["first"])
    assert scores(plain) == before
    assert scores(plain, "late") == pytest.approx(scores(engine, "first"), abs=1e-4)


def test_one_call_may_mix_adapters(engine: TransformersEngine) -> None:
    names = [None, "first", "second", "first", None]
    requests = [GenerateRequest(QUESTION, Sampling(1.0, max_new_tokens=8), (9,), adapter=n) for n in names]
    mixed = [c[0].token_ids for c in engine.generate(requests)]
    assert mixed == [engine.generate([r])[0][0].token_ids for r in requests]
    assert len(set(mixed)) > 1


def test_an_unknown_adapter_is_named(engine: TransformersEngine) -> None:
    with pytest.raises(LookupError, match=r"'third'.*first, second"):
        scores(engine, "third")


def test_a_name_never_changes_its_folder(engine: TransformersEngine, adapters: dict[str, Path]) -> None:
    engine.load_adapter("first", adapters["first"])
    with pytest.raises(ValueError, match="already means"):
        engine.load_adapter("first", adapters["second"])


def test_damaged_and_foreign_adapters_are_refused(
    base: Path, engine: TransformersEngine, adapters: dict[str, Path], tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    def copy(name: str) -> Path:
        return Path(shutil.copytree(adapters["first"], tmp_path / name))

    def rewrite(folder: Path, change: object) -> Path:
        state = load_file(folder / "adapter_model.safetensors")
        change(state)  # type: ignore[operator]
        save_file(state, folder / "adapter_model.safetensors")
        write_manifest(folder, {})
        return folder

    damaged = copy("damaged")
    (damaged / "adapter_config.json").write_text("{}")
    unfinished = copy("unfinished")
    (unfinished / "manifest.json").unlink()
    foreign = copy("foreign")
    write_manifest(foreign, {"base_sha": hashlib.sha256(b"other").hexdigest()})
    lacking = rewrite(copy("lacking"), lambda s: s.pop(min(s)))
    extra = rewrite(copy("extra"), lambda s: s.update({"base_model.nowhere.weight": s[min(s)].clone()}))
    cases = {
        damaged: "sha256 differs",
        unfinished: "no manifest.json",
        foreign: "another base model",
        lacking: "lacks 1 weights",
        extra: "no place for",
    }
    before = scores(engine, "first")
    for folder, words in cases.items():
        with pytest.raises(ArtifactError, match=words):
            engine.load_adapter(folder.name, folder)
        assert folder.name not in engine._adapters
    fresh = TransformersEngine(str(base), device="cpu")
    with pytest.raises(ArtifactError, match="lacks 1 weights"):
        fresh.load_adapter("lacking", lacking)
    assert scores(fresh) == pytest.approx(scores(engine), abs=1e-5)
    assert scores(engine, "first") == before


def test_the_canary_tells_an_adapter_from_the_base(
    base: Path, engine: TransformersEngine, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    said = canary(engine, "first")
    assert said["values"] != said["base"]
    silent = make_adapter(base, tmp_path / "silent")
    state = {k: v * 0 for k, v in load_file(silent / "adapter_model.safetensors").items()}
    save_file(state, silent / "adapter_model.safetensors")
    write_manifest(silent, {})
    engine.load_adapter(f"silent-{tmp_path.name}", silent)
    with pytest.raises(CanaryError, match="not in effect"):
        canary(engine, f"silent-{tmp_path.name}")


def test_engine_for_reads_the_base(base: Path, tmp_path: Path) -> None:
    assert engine_for(str(base), device="cpu").name == f"transformers:{base}"
    with pytest.raises(FileNotFoundError, match=r"no config\.json"):
        engine_for(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no folder"):
        engine_for(str(tmp_path / "absent"))


def test_pickled_weights_are_refused_unread(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(base, folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    for load in (base_sha, lambda name: TransformersEngine(name, device="cpu")):
        with pytest.raises(FileNotFoundError, match=r"no \.safetensors file; other weight formats can carry"):
            load(str(folder))


def test_a_corrupt_model_file_is_named(base: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(base, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(ValueError, match="broken cannot be read"):
        engine_for(str(broken))

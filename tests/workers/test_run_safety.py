"""A run that is stopped at its worst moment: paused, killed while it writes, out of room, damaged on disk."""

from __future__ import annotations

import errno
import fcntl
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import workers.trainers.checkpoints as checkpoints
import workers.trainers.train as train
from loop.finetune.artifacts import ArtifactError, read_manifest, store_adapter
from tests.workers.test_trainer import lines, weights
from tests.workers.training import make_run, pair_rows, sft_rows
from workers.trainers import run as runs
from workers.trainers.progress import Progress
from workers.trainers.run import BAD_INPUT, DISK_FULL, DONE, FAILED, PAUSED, main
from workers.trainers.trouble import full_disk

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]


class Killed(BaseException):
    """As SIGKILL: nothing that tidies up after errors sees it."""


@pytest.fixture(scope="module")
def whole(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run of nine updates with a checkpoint after each third."""
    run = make(llama, tmp_path_factory.mktemp("whole") / "run")
    assert main([str(run)]) == DONE
    return run


def make(base: Path, folder: Path) -> Path:
    return make_run(folder, base, sft_rows(), job={"save_every_steps": 3})


def at_step(step: int, do: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    original = Progress.on_step_end

    def on_step_end(self: Progress, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == step:
            do()
        original(self, args, state, control, **kwargs)

    monkeypatch.setattr(Progress, "on_step_end", on_step_end)


def assert_goes_on_as_if_nothing_had_been(run: Path, whole: Path) -> None:
    assert main([str(run)]) == DONE
    assert weights(run) == weights(whole)
    assert [(p["step"], p["loss"]) for p in lines(run)] == [(p["step"], p["loss"]) for p in lines(whole)]
    assert not (run / "error.txt").exists()
    assert not (run / "checkpoints.tmp").exists()
    assert not (run / "adapter.tmp").exists()


def test_a_paused_run_loses_not_one_update(
    llama: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(llama, tmp_path / "run")
    at_step(5, (run / "pause").touch, monkeypatch)
    assert main([str(run)]) == PAUSED
    assert "paused at step 5" in (run / "error.txt").read_text()
    assert (run / "checkpoints" / "5").is_dir()
    assert [p["step"] for p in lines(run)] == [1, 2, 3, 4, 5]
    monkeypatch.undo()
    (run / "pause").unlink()
    assert_goes_on_as_if_nothing_had_been(run, whole)
    assert [p["tokens"] for p in lines(run)] == [p["tokens"] for p in lines(whole)]


def killed_in(name: str, module: Any, after: bool, count: int = 1) -> Callable[[pytest.MonkeyPatch], None]:
    """Die in the ``count``-th call of a function: before it, or when its work is done."""

    def arrange(monkeypatch: pytest.MonkeyPatch) -> None:
        original, calls = getattr(module, name), []

        def dying(*args: Any, **kwargs: Any) -> Any:
            calls.append(args)
            if len(calls) == count and not after:
                raise Killed
            result = original(*args, **kwargs)
            if len(calls) == count:
                raise Killed
            return result

        monkeypatch.setattr(module, name, dying)

    return arrange


@pytest.mark.parametrize(
    "arrange",
    [
        killed_in("_save_checkpoint", checkpoints.Trainer, True, 2),
        killed_in("write_manifest", checkpoints, True, 2),
        killed_in("_put_in_place", checkpoints.AtomicCheckpoints, True, 2),
        killed_in("write_manifest", train, False),
        killed_in("write_manifest", train, True),
        killed_in("rename", Path, True, 4),
    ],
    ids=[
        "checkpoint without manifest",
        "checkpoint before its rename",
        "checkpoint after its rename",
        "adapter without manifest",
        "adapter before its rename",
        "adapter after its rename",
    ],
)
def test_a_run_killed_while_it_writes_goes_on_from_what_is_whole(
    arrange: Callable[[pytest.MonkeyPatch], None],
    llama: Path,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make(llama, tmp_path / "run")
    arrange(monkeypatch)
    with pytest.raises(Killed):
        main([str(run)])
    monkeypatch.undo()
    if (run / "adapter").exists():  # the rename was the end of it
        assert main([str(run)]) == DONE
        assert weights(run) == weights(whole)
        return
    assert any((run / "checkpoints").iterdir())
    assert_goes_on_as_if_nothing_had_been(run, whole)


def no_room(*args: Any, **kwargs: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("module", "name", "kept"),
    [(checkpoints.Trainer, "_save_optimizer_and_scheduler", ["3"]), (train, "write_manifest", ["6", "9"])],
    ids=["checkpoint", "adapter"],
)
def test_a_full_disk_ends_the_run_in_a_sentence_and_keeps_what_was_saved(
    module: Any,
    name: str,
    kept: list[str],
    llama: Path,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make(llama, tmp_path / "run")
    if module is train:
        monkeypatch.setattr(train, name, no_room)
    else:
        at_step(6, lambda: monkeypatch.setattr(module, name, no_room), monkeypatch)
    assert main([str(run)]) == DISK_FULL
    said = (run / "error.txt").read_text()
    assert f"no room left to write in {run}" in said
    assert f"deleting old folders beside it in {tmp_path}" in said
    assert sorted(p.name for p in (run / "checkpoints").iterdir()) == kept
    assert not (run / "checkpoints.tmp").exists()
    assert not (run / "adapter.tmp").exists()
    monkeypatch.undo()
    assert_goes_on_as_if_nothing_had_been(run, whole)


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EDQUOT, "x"), True),
        (OSError(errno.EACCES, "x"), False),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        (RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"), True),
        (RuntimeError("CUDA out of memory"), False),
    ],
)
def test_a_full_disk_is_known_by_number_or_words_also_as_a_cause(
    error: Exception, full: bool, tmp_path: Path
) -> None:
    outer = RuntimeError("while saving")
    outer.__cause__ = error
    for each in (error, outer):
        assert bool(full_disk(each, tmp_path / "not" / "there")) is full


def test_one_damaged_byte_of_a_checkpoint_is_passed_over_and_of_an_adapter_refused(
    llama: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(llama, tmp_path / "run")
    at_step(7, (run / "pause").touch, monkeypatch)
    assert main([str(run)]) == PAUSED
    monkeypatch.undo()
    (run / "pause").unlink()
    flip_a_byte(run / "checkpoints" / "7" / "adapter_model.safetensors")
    assert_goes_on_as_if_nothing_had_been(run, whole)

    sha, stored = store_adapter(run / "adapter", tmp_path / "store")
    flip_a_byte(run / "adapter" / "adapter_model.safetensors")
    with pytest.raises(ArtifactError, match=r"adapter_model\.safetensors is not what was written"):
        store_adapter(run / "adapter", tmp_path / "elsewhere")
    assert main([str(run)]) == DONE  # the damaged one does not count as finished: it is made anew
    assert weights(run) == weights(whole)
    flip_a_byte(stored / "adapter_model.safetensors")
    assert store_adapter(run / "adapter", tmp_path / "store")[0] == sha  # and put in the damaged one's place
    assert (stored / "adapter_model.safetensors").read_bytes() == weights(whole)


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_run_killed_after_its_last_update_still_says_how_fast_it_was(
    llama: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    run = make(llama, tmp_path / "run")
    monkeypatch.setattr(train.Run, "_finish", killed)
    with pytest.raises(Killed):
        main([str(run)])
    monkeypatch.undo()
    assert_goes_on_as_if_nothing_had_been(run, whole)
    made, undisturbed = (read_manifest(folder / "adapter") for folder in (run, whole))
    assert made["tokens_per_s"] > 0
    assert [made[k] for k in ("tokens", "padding_share")] == [
        undisturbed[k] for k in ("tokens", "padding_share")
    ]


def test_two_trainers_never_share_a_folder(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    monkeypatch.setattr(runs, "LOCK_PATIENCE_S", 0.0)
    with (run / "lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert main([str(run)]) == FAILED
    assert "another process is training in" in (run / "error.txt").read_text()
    assert main([str(run)]) == DONE


@pytest.mark.parametrize("objective", ["sft", "dpo"])
def test_memory_that_runs_out_midway_costs_no_checkpoint_and_changes_no_update(
    objective: str, llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.trainers.objectives import objective_named

    rows = pair_rows() if objective == "dpo" else sft_rows()
    options: dict[str, Any] = {"objective": objective, "job": {"save_every_steps": 3}}
    plain = make_run(tmp_path / "plain", llama, rows, **options)
    assert main([str(plain)]) == DONE
    module = objective_named(objective)
    trainer = {"sft": "WeightedSFT", "dpo": "WeightedDPO"}[objective]
    compute, seen = getattr(module, trainer).compute_loss, list[tuple[int, int]]()

    def crowded(self: Any, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        at_once = len(inputs["weight"])
        seen.append((self.state.global_step, at_once))
        if self.state.global_step == 4 and at_once > 2:
            held.append(weakref.ref(self))
            raise RuntimeError("CUDA out of memory")
        return compute(self, model, inputs, *args, **kwargs)

    load, left = train.Run._load, list[bool]()

    def watched(self: train.Run) -> Any:
        left.append(any(old() is not None for old in held))
        return load(self)

    held: list[weakref.ref[Any]] = []
    monkeypatch.setattr(train.Run, "_load", watched)
    monkeypatch.setattr(getattr(module, trainer), "compute_loss", crowded)
    split = make_run(tmp_path / "split", llama, rows, **options)
    assert main([str(split)]) == DONE
    assert [p["step"] for p in lines(split)] == list(range(1, 10))
    assert [p["loss"] for p in lines(split)] == pytest.approx([p["loss"] for p in lines(plain)], rel=1e-3)
    halved = [step for step, at_once in seen if at_once == 2]
    assert halved[1:3] == [3, 3]  # after the dry run: from the checkpoint, in two parts
    assert left == [False, False]  # what ran out of memory held none of it when the model was read anew


def test_rows_that_processes_cannot_share_are_bad_input(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(llama, tmp_path / "run")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert main([str(run)]) == BAD_INPUT
    assert "choose a batch_size that is a multiple of their number" in (run / "error.txt").read_text()


def test_whatever_breaks_leaves_a_sentence(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> None:
        raise KeyError("a column")

    monkeypatch.setattr(train.Run, "_trainer", lost)
    run = make(llama, tmp_path / "run")
    assert main([str(run)]) == FAILED
    assert (run / "error.txt").read_text() == "KeyError: 'a column'\n"


def test_the_dry_run_of_the_longest_rows_leaves_no_trace(
    llama: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    monkeypatch.setattr(train, "rehearse", lambda trainer, rows: tried.append(len(rows)))
    run = make(llama, tmp_path / "run")
    assert main([str(run)]) == DONE
    assert tried == [4]
    assert weights(run) == weights(whole)
    assert [p["tokens"] for p in lines(run)] == [p["tokens"] for p in lines(whole)]

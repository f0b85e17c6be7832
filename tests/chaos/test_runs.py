"""Training runs at their worst moments, in the real stack: each ends with an undisturbed run's adapter, or
with a sentence that says why not.

One stack for all, with its run folders on a small disk of their own where this user may mount one.
"""

import contextlib
import json
import random
import resource
import subprocess
import sys
import time

import pytest
import yaml

from tests.chaos.runs import STEPS
from tests.chaos.stack import Stack
from tests.workers.training import make_run, sft_rows
from webapp.embedded.layout import ROOT
from workers.trainers.run import DISK_FULL, DONE
from workers.trainers.supervise import Wish, run_training

SEED_MODEL = ROOT / "workers" / "seed" / "model"
pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.skipif(not (SEED_MODEL / "model.safetensors").is_file(), reason="no seed model"),
]
DISK_MB = 24
DRAWN = random.Random(20261121)
MOMENTS = [round((i + DRAWN.random()) / 5, 3) for i in range(5)]  # shares of an undisturbed run's time


class Runs(Stack):
    """A stack whose runs lie on a disk of `DISK_MB`, if mounting is allowed."""

    small_disk = False

    def __enter__(self):
        super().__enter__()
        self.runs = self.var / "runs"
        self.runs.mkdir(exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(self.runs)]
        self.small_disk = subprocess.run(mount, capture_output=True).returncode == 0
        self.ask("prepare")
        return self

    def __exit__(self, *problem):
        if self.small_disk:
            subprocess.run(["umount", "--lazy", str(self.runs)], check=True)
        super().__exit__(*problem)

    def ask(self, *words):
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos.runs", *map(str, words)],
            cwd=ROOT,
            env=self.env,
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return json.loads(done.stdout.splitlines()[-1])

    def ended(self, unit, seconds=240):
        sql = "select state, result, error from iterations_workunit where id = %s"
        over = ("done", "failed", "cancelled")
        return self.wait_for(
            "the run's end", lambda: (r := self.one(sql, unit)) and r[0] in over and r, seconds
        )

    def folder(self, unit):
        """The unit's run folder: named by the run, then by its input."""
        name = self.one("select payload->>'name' from iterations_workunit where id = %s", unit)[0]
        return self.wait_for("the run's folder", lambda: next(self.runs.glob(f"{name}-*"), None), 60)


@pytest.fixture(scope="module")
def stack():
    with Runs() as stack:
        yield stack


@pytest.fixture(scope="module")
def undisturbed(stack):
    """The adapter's hash, and how long the trainer was at it."""
    unit = stack.ask("start")
    stack.wait_for("the training process", stack.trainer, 60)
    began = time.monotonic()
    state, result, error = stack.ended(unit)
    assert state == "done", error
    return result["adapter_sha"], time.monotonic() - began


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_trainer_killed_at_any_moment_gives_the_same_adapter(stack, undisturbed, moment):
    sha, seconds = undisturbed
    unit = stack.ask("start")
    pid = stack.wait_for("the training process", stack.trainer, 60)
    time.sleep(moment * seconds)
    step = stack.one("select coalesce(max(step), 0) from iterations_runpoint where unit_id = %s", unit)[0]
    if killed := stack.trainer() == pid:
        stack.kill(pid)
    state, result, error = stack.ended(unit)
    print(f"\nkilled at {moment:.0%} of {seconds:.1f} s, after step {step}" if killed else "\nit had ended")
    assert state == "done", error
    assert result["adapter_sha"] == sha
    steps = stack.rows("select step from iterations_runpoint where unit_id = %s order by 1", unit)
    assert [s for (s,) in steps] == list(range(1, STEPS + 1))


def test_a_disk_that_fills_up_during_a_checkpoint_is_told_and_then_gone_on_from(stack, undisturbed):
    if not stack.small_disk:
        pytest.skip("this user may not mount a small disk; see the test below")
    unit = stack.ask("start")
    folder = stack.folder(unit)
    stack.wait_for("a checkpoint", lambda: list(folder.glob("checkpoints/*/manifest.json")), 90)
    filler = stack.runs / "filler"
    fill(filler)
    state, _, error = stack.ended(unit)
    assert state == "failed", "it ended before the disk was full: make the run longer"
    assert f"no room left to write in {folder}" in error
    assert "deleting old folders beside it" in error
    assert list(folder.glob("checkpoints/*/manifest.json"))
    assert not (folder / "checkpoints.tmp").exists()
    filler.unlink()
    stack.ask("retry", unit)
    state, result, error = stack.ended(unit)
    assert state == "done", error
    assert result["adapter_sha"] == undisturbed[0]


def fill(path):
    """Take all the room there is."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def test_one_damaged_byte_of_an_adapter_is_refused_with_a_sentence(stack, undisturbed):
    sha, _ = undisturbed
    weights = stack.var / "adapters" / sha / "adapter_model.safetensors"
    name = stack.one("select name from registry_modelversion where adapter_sha = %s limit 1", sha)[0]
    good = weights.read_bytes()
    weights.chmod(0o644)
    weights.write_bytes(good[:-7] + bytes([good[-7] ^ 1]) + good[-6:])
    state, _, error = stack.ended(stack.ask("start", name))
    assert state == "failed"
    assert "adapter_model.safetensors is not what was written" in error
    again = stack.ask("start")  # trained anew, the same adapter takes the damaged one's place
    state, result, error = stack.ended(again)
    assert (state, result.get("adapter_sha")) == ("done", sha), error
    assert weights.read_bytes() == good


def test_a_file_that_may_not_grow_ends_the_run_like_a_full_disk(tmp_path):
    """Without a disk of its own: the kernel refuses what exceeds a limit, with another number."""
    run = make_run(tmp_path / "run", SEED_MODEL, sft_rows(), job={"save_every_steps": 3}, lora_rank=32)
    command = [sys.executable, "-m", "workers.trainers.run", str(run)]
    largest = 900_000  # smaller than the optimiser's state, larger than the curve
    limits = (largest, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits),
    )
    assert done.returncode == DISK_FULL, done.stderr
    assert f"no room left to write in {run}" in (run / "error.txt").read_text()
    assert not (run / "checkpoints.tmp").exists()
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == DONE


def test_accelerate_really_trains_and_its_trainers_code_comes_through(tmp_path):
    config = tmp_path / "cpu.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "compute_environment": "LOCAL_MACHINE",
                "distributed_type": "NO",
                "num_processes": 1,
                "num_machines": 1,
                "use_cpu": True,
                "mixed_precision": "no",
            }
        )
    )
    run, seen = make_run(tmp_path / "run", SEED_MODEL, sft_rows(), epochs=1), []
    done = run_training(run, seen.extend, lambda: Wish.GO_ON, str(config))
    assert done.done, done.message
    assert [point["step"] for point in seen] == [1, 2, 3]
    (run / "rows.jsonl").write_text("{}")
    (run / "adapter" / "manifest.json").unlink()
    refused = run_training(run, seen.extend, lambda: Wish.GO_ON, str(config))
    assert refused.bad_input
    assert "its sha256 differs" in refused.message

"""The real worker code in this process: real stages, leases and services, with a made-up model and trainer.

The model is a program that knows the arithmetic of its prompts: each continuation's seed decides whether it
answers right or with one planted mistake, so the same seeds give the same iteration.
"""

import hashlib
import json
from random import Random

from loop.dialects import ReadCritique
from loop.dialects.terse import Terse
from loop.domains.arithmetic.check import judge, solve_from
from loop.domains.arithmetic.mistakes import plant
from loop.finetune.artifacts import write_manifest
from loop.records import Mark, Response, Verdict
from loop.scripted import ScriptedEngine
from tests.webapp.iterations import support
from workers import tasks
from workers.stages import continuation, evaluate, generate, train
from workers.trainers.run import DONE
from workers.trainers.supervise import TrainResult, Wish

TERSE = Terse()
BASE_SKILL = 0.5


class ArithmeticModel:
    """Answers as a model of a given skill (share right); ``skills`` are those of adapters by name."""

    def __init__(self, prompts):
        self.by_text = {p.text: p for p in prompts}
        self.skills = {}
        self.engine = ScriptedEngine(self.reply)

    def reply(self, request, index):
        # The question stands in the first turn, perhaps with a draft; what to do about it in the last.
        # Worked examples of the no-training baseline may stand before.
        turns = request.messages[2 * self.shots_in(request) :]
        question, _, draft = turns[0].content.partition("\nDraft:\n")
        asked = request.messages[-1].content.rsplit("\n", 1)[-1]
        prompt = self.by_text[question]
        # Greedy requests carry seeds, too: only what is asked decides how they go.
        greedy = request.sampling.temperature == 0
        seed = f"{asked}/{draft}" if greedy else request.seeds[index]
        rng = Random(hashlib.sha256(f"{question}/{seed}".encode()).hexdigest())
        right = rng.random() < self.skills.get(request.adapter, BASE_SKILL)
        if asked == "Check:":
            return self.critique(prompt, draft.removesuffix("\nCheck:"), right)
        if request.prefix:
            return self.go_on(prompt, request.prefix)
        return "\n".join(solve_from(prompt) if right else plant(prompt, rng)[0])

    def shots_in(self, request):
        """Questions with their answers before the one that is asked: a draft's turns begin with the draft."""
        answered = [m.content for m in request.messages[:-1] if m.role == "user"]
        return sum(text in self.by_text for text in answered)

    def critique(self, prompt, draft, right):
        steps = TERSE.split_steps(draft)
        response = Response("draft", prompt.id, draft, steps)
        blind = ReadCritique((Mark.GOOD,) * len(steps), None, Verdict.RIGHT)  # a poor critic approves of all
        return TERSE.write_critique(judge(prompt, [s.text for s in steps]) if right else blind, response)

    def go_on(self, prompt, prefix):
        steps = [s.text for s in TERSE.split_steps(prefix)]
        try:
            return "\n".join(solve_from(prompt, steps))
        except ValueError:  # a wrong correction: the rest cannot be right
            return "Answer: 0"


class FakeTrainer:
    """Writes a small finished adapter, as a training run leaves it; ``runs`` keeps what it was given."""

    def __init__(self):
        self.runs = []

    def __call__(self, folder, on_progress, wish, launch):
        job = json.loads((folder / "job.json").read_text())
        rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
        assert hashlib.sha256((folder / "rows.jsonl").read_bytes()).hexdigest() == job["rows_sha256"]
        self.runs.append((job, rows))
        for step in (1, 2):
            on_progress([{"step": step, "total_steps": 2, "loss": 1.0 / step, "seconds": float(step)}])
        adapter = folder / "adapter"
        adapter.mkdir(exist_ok=True)
        (adapter / "adapter_config.json").write_text("{}")
        (adapter / "adapter_model.safetensors").write_bytes(job["rows_sha256"].encode())
        manifest = write_manifest(adapter, {"base_sha": "b" * 64, "rows": len(rows)})
        assert wish() is Wish.GO_ON
        return TrainResult(DONE, adapter, manifest)


class Workers:
    """One worker per queue, by hand: `work_all` does what is queued until nothing is."""

    def __init__(self, monkeypatch, settings, folder, prompts):
        settings.ADAPTERS_DIR = folder / "adapters"
        settings.RUNS_DIR = folder / "runs"
        self.model, self.trainer = ArithmeticModel(prompts), FakeTrainer()
        for stage in (generate, evaluate, continuation):
            monkeypatch.setattr(stage, "engine_with", self.engine_with)
        monkeypatch.setattr(train, "run_training", self.trainer)

    def engine_with(self, version):
        if version.adapter_name:
            skill = 0.4 if version.status == "control" else 0.95
            self.model.skills.setdefault(version.adapter_name, skill)
        return self.model.engine

    def work_all(self, limit=200):
        """Returns the kinds of the units done, in order."""
        done = []
        while unit := support.claim_any():
            tasks.work(unit.pk, unit.token, unit.kind)
            done.append(unit.kind)
            assert len(done) < limit
        return done

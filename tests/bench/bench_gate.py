"""The gate on real models: a better adapter is promoted, a deliberately worse one held, seed after seed.

``./run bench bench_gate [--seeds 20]``. The seed model answers a pool of train prompts once. For each seed
150 of them are drawn; one adapter learns the answers the checker accepted, the other as many answers dealt
out to other prompts, four times as long (``--worse verdicts``: the control arm's permuted verdicts instead).
Both answer the held-out and probe prompts greedily, beside the bare base and the base with accepted examples
in its prompt, and the gate decides as it does for an iteration. Exits 1 unless nine of ten better ones were
promoted and every worse one was held.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from loop.curate import Material, shuffle_verdicts
from loop.curate.samples import accepted_samples
from loop.domains.arithmetic.generate import project_prompts
from loop.evaluate.outcomes import outcome_of
from loop.evaluate.shots import Candidate, choose
from loop.evaluate.solve import Settings, solve
from loop.finetune.job import TrainJob
from loop.methods import rest_em
from loop.promote import Decision, Evidence, Guard, decide, slices_of
from loop.recipe import recipe_named
from loop.recipe_parts import FinetunePart
from loop.records import Prompt, Split, Trace, TrainRow
from loop.runtime import run_method
from workers.engines.transformers_engine import TransformersEngine
from workers.seed.data import TERSE
from workers.trainers.rows import dump_rows

ROOT = Path(__file__).parents[2]

BASE = ROOT / "workers" / "seed" / "model"
RECIPE = recipe_named("rest-em")
POOL, DRAWN, SAMPLES = 600, 150, 4
MOST_ROWS = 200
LONG = 8  # epochs: so few updates on answers to other prompts hardly hurt the model


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--heldout", type=int, default=600)
    parser.add_argument("--worse", choices=["dealt", "verdicts"], default="dealt")
    options = parser.parse_args()
    began = time.perf_counter()
    prompts = list(project_prompts(train=POOL, heldout=options.heldout, probe=100, seed=11))
    of = {split: [p for p in prompts if p.split is split] for split in Split}
    engine = TransformersEngine(str(BASE), device="cpu")
    settings = rest_em.Settings(samples=SAMPLES, temperature=0.8, top_k=0, max_new_tokens=160)
    traces = _run(engine, rest_em.improve, of[Split.TRAIN], settings, "pool")
    pool = [Material(p, t.responses, t.scores) for p, t in zip(of[Split.TRAIN], traces, strict=True)]
    measured = [*of[Split.HELDOUT], *of[Split.PROBE]]
    base = _run(engine, solve, measured, Settings(), "base")
    runs = []
    with tempfile.TemporaryDirectory(prefix="bench-gate-") as folder:
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            run = _seed(seed, engine, pool, of, base, options.worse, Path(folder))
            runs.append(run)
            print(json.dumps(run), flush=True)
    promoted = sum(r["better"]["promote"] for r in runs)
    held = sum(not r["worse"]["promote"] for r in runs)
    result = {
        "seeds": len(runs),
        "better_promoted": promoted,
        "worse_held": held,
        "worse": options.worse,
        "heldout": options.heldout,
        "seconds": round(time.perf_counter() - began, 1),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "runs": runs,
    }
    target = ROOT / "var" / "bench" / "gate.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({k: v for k, v in result.items() if k != "runs"}))
    return 0 if held == len(runs) and promoted >= 0.9 * len(runs) else 1


def _run(
    engine: Any, method: Any, prompts: list[Prompt], settings: Any, key: str, adapter: str | None = None
) -> list[Trace]:
    return run_method(
        method, prompts, engine, settings, dialect=TERSE, model_name=key, adapter=adapter, run_key=key
    )


def _seed(
    seed: int,
    engine: Any,
    pool: list[Material],
    of: dict[Split, list[Prompt]],
    base: list[Trace],
    worse: str,
    folder: Path,
) -> dict[str, Any]:
    drawn = Random(seed).sample(pool, DRAWN)
    accepted = _rows(drawn, seed)
    rows = {"better": accepted, "worse": _spoilt(drawn, accepted, worse, seed)}
    measured = [*of[Split.HELDOUT], *of[Split.PROBE]]
    shots = choose((_candidate(i, row) for i, row in enumerate(accepted)), RECIPE.gate.shots)
    shown = Settings(shots=tuple({"user": c.user, "assistant": c.assistant} for c in shots))
    baseline = _run(engine, solve, of[Split.HELDOUT], shown, f"baseline-{seed}")
    found: dict[str, Any] = {"seed": seed}
    for arm, some in rows.items():
        began = time.perf_counter()
        name = f"{arm}-{seed}"
        epochs = LONG if arm == "worse" and worse == "dealt" else RECIPE.finetune.epochs
        engine.load_adapter(name, _trained(folder / name, some, seed, epochs))
        trained = time.perf_counter()
        after = _run(engine, solve, measured, Settings(), name, name)
        decision = decide(_evidence(of, base, after, baseline), RECIPE.gate)
        found[arm] = _shown(decision) | {
            "rows": len(some),
            "train_s": round(trained - began, 1),
            "evaluate_s": round(time.perf_counter() - trained, 1),
        }
    return found


def _rows(materials: list[Material], seed: int) -> list[TrainRow]:
    found = [c.row for c in accepted_samples(materials, dialect=TERSE) if c.kept and c.row is not None]
    return Random(seed).sample(found, min(MOST_ROWS, len(found)))


def _spoilt(drawn: list[Material], accepted: list[TrainRow], how: str, seed: int) -> list[TrainRow]:
    """As many rows as were accepted, their labels shuffled: other prompts' answers, or others' verdicts."""
    if how == "verdicts":
        return _rows(list(shuffle_verdicts(drawn, seed, rows=len(accepted))), seed)
    turned = accepted[1:] + accepted[:1]
    return [replace(row, chosen=other.chosen) for row, other in zip(accepted, turned, strict=True)]


def _candidate(place: int, row: TrainRow) -> Candidate:
    return Candidate(place, row.prompt_id, row.messages[-1].content, row.chosen, by_people=False)


def _trained(folder: Path, rows: list[TrainRow], seed: int, epochs: float) -> Path:
    from workers.trainers.train import Run

    folder.mkdir()
    sha = dump_rows(rows, folder / "rows.jsonl")
    part = FinetunePart(**{**RECIPE.finetune.model_dump(), "epochs": epochs})
    job = TrainJob(
        run=folder.name, base=str(BASE), finetune=part, rows_sha256=sha, seed=seed, save_every_steps=10_000
    )
    (folder / "job.json").write_text(job.model_dump_json(), encoding="utf-8")
    return Run(folder, job, rows).train()


def _evidence(
    of: dict[Split, list[Prompt]], before: list[Trace], after: list[Trace], baseline: list[Trace]
) -> Evidence:
    n = len(of[Split.HELDOUT])
    return Evidence(
        champion=_outcomes(before[:n]),
        challenger=_outcomes(after[:n]),
        baseline=_outcomes(baseline),
        guards={
            "probe accuracy": Guard(_outcomes(before[n:]), _outcomes(after[n:])),
            "answers that can be read": Guard(_readable(before[:n]), _readable(after[:n])),
        },
        slices=slices_of(of[Split.HELDOUT]),
    )


def _outcomes(traces: list[Trace]) -> dict[str, bool | None]:
    return {t.prompt_id: outcome_of(t.scores[-1].verdict, t.responses[-1]) for t in traces}


def _readable(traces: list[Trace]) -> dict[str, bool | None]:
    return {t.prompt_id: t.responses[-1].answer is not None for t in traces}


def _shown(decision: Decision) -> dict[str, Any]:
    c, baseline = decision.against["champion"], decision.against["baseline"]
    return {
        "promote": decision.promote,
        "before": c.before,
        "after": c.after,
        "p_value": c.p_value,
        "baseline": baseline.before,
        "reasons": list(decision.reasons),
    }


if __name__ == "__main__":
    sys.exit(main())

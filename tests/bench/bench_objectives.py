"""Every training objective on the same annotations: held-out before and after, on the seed model.

``./run bench bench_objectives [--seeds 3] [--only sft,dpo]``. For each seed the seed model answers train
prompts, the simulated annotator (it errs in 5 %) judges every answer step by step and compares pairs, and
the model goes on from the corrected steps. All objectives learn from rows derived from these judgements;
nothing else accepts a row. A policy is measured by greedy accuracy on the held-out prompts before and after,
paired; a scorer by how often the answer it ranks first among samples of the untrained model is right, against
the first sample. Prints a table; ``--json`` keeps the figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from loop.curate import Material, curate, shuffle_verdicts
from loop.domains.arithmetic.annotator import annotate_preference, annotate_steps
from loop.domains.arithmetic.generate import project_prompts
from loop.evaluate import accuracy, mcnemar, outcome_of, paired, paired_bootstrap
from loop.evaluate.solve import Settings as SolveSettings
from loop.evaluate.solve import solve
from loop.finetune.job import TrainJob
from loop.finetune.objectives import OBJECTIVES
from loop.methods import rest_em
from loop.model import RewardRequest
from loop.recipe_parts import CuratePart, FinetunePart
from loop.records import (
    Author,
    Critique,
    Preference,
    Prompt,
    Response,
    RowKind,
    Split,
    Trace,
)
from loop.runtime import run_method
from loop.sample.backtrack import Settings as BacktrackSettings
from loop.sample.backtrack import backtrack
from workers.engines.transformers_engine import TransformersEngine
from workers.seed.data import TERSE
from workers.trainers.rows import dump_rows

ROOT = Path(__file__).parents[2]

BASE = ROOT / "workers" / "seed" / "model"
ERRORS = 0.05
RANKED = 8  # samples per prompt that a scorer ranks


@dataclass(frozen=True)
class Variant:
    """One line of the table: what is trained on, and how."""

    rows: tuple[RowKind, ...]
    finetune: dict[str, Any]
    shuffled: bool = False
    curate: dict[str, Any] = field(default_factory=dict)


SFT = {"objective": "sft", "epochs": 2, "learning_rate": 1e-3}
DPO = {"objective": "dpo", "epochs": 1, "learning_rate": 2e-4, "sft_weight": 0.2}
PAIRS = (RowKind.STEP_PAIR, RowKind.PREFERENCE)
OUTCOME = (RowKind.OUTCOME,)
VARIANTS = {
    "sft: accepted samples": Variant((RowKind.SAMPLE,), SFT),
    "sft: the same, shuffled labels (control)": Variant((RowKind.SAMPLE,), SFT, shuffled=True),
    "sft: samples and corrected trajectories": Variant((RowKind.SAMPLE, RowKind.TRAJECTORY), SFT),
    "sft: masked thought": Variant((RowKind.SAMPLE,), SFT | {"mask_inputs": 0.2}),
    "sft: partial (wrong steps masked)": Variant((RowKind.SAMPLE, RowKind.PARTIAL), SFT),
    "sft: reward-weighted (RWR)": Variant(OUTCOME, SFT | {"reward_temperature": 0.3}),
    "sft: critic (critique, refinement)": Variant((RowKind.CRITIQUE, RowKind.REFINEMENT), SFT),
    "sft: judge": Variant((RowKind.JUDGEMENT,), SFT),
    "dpo: pairs": Variant(PAIRS, DPO),
    "dpo: step pairs alone": Variant((RowKind.STEP_PAIR,), DPO),
    "dpo: conservative": Variant(PAIRS, DPO | {"label_smoothing": 0.1}),
    "dpo: ipo": Variant(PAIRS, DPO | {"loss": "ipo"}),
    "dpo: sppo": Variant(PAIRS, DPO | {"loss": "sppo"}),
    "kto": Variant(OUTCOME, {"objective": "kto", "epochs": 2, "learning_rate": 8e-4}),
    "nft": Variant(OUTCOME, {"objective": "nft", "epochs": 2, "learning_rate": 1e-3}),
    "grpo": Variant(
        (RowKind.PROMPT,), {"objective": "grpo", "epochs": 1, "learning_rate": 2e-4, "batch_size": 32}
    ),
    "reward model": Variant(
        (RowKind.PREFERENCE,), {"objective": "reward", "epochs": 4, "learning_rate": 1e-3, "batch_size": 8}
    ),
    "process reward model": Variant(
        (RowKind.STEP_LABELS,), {"objective": "prm", "epochs": 2, "learning_rate": 1e-3}
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument(
        "--heldout", type=int, default=400, help="the last so many; settings were chosen on the first"
    )
    parser.add_argument("--only", default="", help="names that a line must contain, by comma")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    words = [w for w in options.only.split(",") if w]
    chosen = {n: v for n, v in VARIANTS.items() if not words or any(w in n for w in words)}

    everything = list(project_prompts())
    heldout = [p for p in everything if p.split is Split.HELDOUT][-options.heldout :]
    train = [p for p in everything if p.split is Split.TRAIN]
    engine = TransformersEngine(str(BASE), device="cpu")
    before = greedy(engine, heldout, None)
    ranked = samples_of(engine, heldout, RANKED, "ranked", 0)
    first = {p: outcome(t, 0) for p, t in ranked.items()}
    print(
        f"base: greedy {share(before)}, one sample {share(first)}, {len(heldout)} held-out prompts",
        flush=True,
    )

    found: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen}
    with tempfile.TemporaryDirectory(prefix="objectives-") as scratch:
        for seed in range(10, 10 + options.seeds):
            prompts = Random(seed).sample(train, options.prompts)
            material = annotated(engine, prompts, options.samples, seed)
            for name, variant in chosen.items():
                began = time.monotonic()
                folder = Path(scratch) / f"{seed}-{list(VARIANTS).index(name)}"
                trained = train_one(folder, variant, material, seed)
                if OBJECTIVES[variant.finetune["objective"]].gives == "policy":
                    engine.load_adapter(folder.name, folder / "adapter")
                    line = compare(before, greedy(engine, heldout, folder.name))
                else:
                    engine.load_adapter(folder.name, folder / "adapter")
                    line = compare(first, best_of(engine, heldout, ranked, folder.name))
                line |= {"seed": seed, "rows": trained["rows"], "seconds": trained["seconds"]}
                found[name].append(line)
                print(f"  seed {seed} {name}: {line} ({time.monotonic() - began:.0f} s)", flush=True)
    print(table(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


# -- the same annotations for everybody ----------------------------------------------------------------


def samples_of(engine: Any, prompts: Sequence[Prompt], n: int, key: str, seed: int) -> dict[str, Trace]:
    settings = rest_em.Settings(samples=n, temperature=0.8, max_new_tokens=160)
    traces = run_method(
        rest_em.improve,
        prompts,
        engine,
        settings,
        dialect=TERSE,
        model_name="base",
        run_key=key,
        seed=seed,
    )
    return {t.prompt_id: t for t in traces}


def annotated(engine: Any, prompts: Sequence[Prompt], n: int, seed: int) -> list[Material]:
    """Samples, a person's critique of each, a comparison of the first two that differ, and continuations."""
    traces = samples_of(engine, prompts, n, "train", seed)
    judgements: dict[str, list[Critique]] = {}
    preferences: dict[str, list[Preference]] = {}
    marked: dict[str, list[tuple[Response, Critique]]] = {}
    for prompt in prompts:
        responses = [r for r in traces[prompt.id].responses if r.finish == "stop" and r.steps]
        judgements[prompt.id] = [critique_of(prompt, r, seed) for r in responses]
        said = {c.response_id: c for c in judgements[prompt.id]}
        marked[prompt.id] = [(r, said[r.id]) for r in responses if said[r.id].first_error is not None]
        preferences[prompt.id] = compared(prompt, responses, seed)
    more = run_method(
        backtrack({p: m for p, m in marked.items() if m}),
        [p for p in prompts if marked[p.id]],
        engine,
        BacktrackSettings(tries=4),
        dialect=TERSE,
        model_name="base",
        run_key="continue",
        seed=seed,
    )
    continued = {t.prompt_id: t for t in more}
    materials = []
    for prompt in prompts:
        trace, extra = traces[prompt.id], continued.get(prompt.id, Trace(prompt.id))
        # The people's word alone decides: continuations are judged by them too.
        judged = [critique_of(prompt, r, seed) for r in extra.responses if r.finish == "stop" and r.steps]
        materials.append(
            Material(
                prompt,
                (*trace.responses, *extra.responses),
                (),
                (),
                (*judgements[prompt.id], *judged),
                tuple(preferences[prompt.id]),
            )
        )
    return materials


def critique_of(prompt: Prompt, response: Response, seed: int) -> Critique:
    said = annotate_steps(prompt, response, error_rate=ERRORS, seed=seed)
    return Critique(
        id=f"person/{response.id}",
        response_id=response.id,
        author=Author.PERSON,
        marks=said.marks,
        first_error=said.first_error,
        verdict=said.verdict,
        comments=said.comments,
        corrections=said.corrections,
    )


def compared(prompt: Prompt, responses: Sequence[Response], seed: int) -> list[Preference]:
    distinct = list({r.text: r for r in responses}.values())[:2]
    if len(distinct) < 2:
        return []
    winner = annotate_preference(prompt, distinct, error_rate=ERRORS, seed=seed)
    ids = tuple(r.id for r in distinct)
    return [Preference(f"prefers/{'/'.join(ids)}", prompt.id, ids, winner, Author.PERSON)]


# -- training and measuring ----------------------------------------------------------------------------


def train_one(folder: Path, variant: Variant, materials: list[Material], seed: int) -> dict[str, Any]:
    part = CuratePart(rows=variant.rows, accept="people", max_per_prompt=4, **variant.curate)
    source = materials
    if variant.shuffled:
        real = [c for c in curate(materials, part, TERSE) if c.kept]
        source = shuffle_verdicts(materials, seed, rows=len(real))
    rows = [c.row for c in curate(source, part, TERSE) if c.kept and c.row is not None]
    folder.mkdir(parents=True)
    sha = dump_rows(rows, folder / "rows.jsonl")
    job = TrainJob(
        run=folder.name, base=str(BASE), finetune=FinetunePart(**variant.finetune), seed=seed, rows_sha256=sha
    )
    (folder / "job.json").write_text(job.model_dump_json(), encoding="utf-8")
    ran = subprocess.run([sys.executable, "-m", "workers.trainers.run", str(folder)], cwd=ROOT, check=False)
    if ran.returncode:
        raise SystemExit(f"training {folder.name} failed; the reason stands above")
    return dict(json.loads((folder / "adapter" / "manifest.json").read_text(encoding="utf-8")))


def greedy(engine: Any, prompts: Sequence[Prompt], adapter: str | None) -> dict[str, bool | None]:
    traces = run_method(
        solve,
        prompts,
        engine,
        SolveSettings(),
        dialect=TERSE,
        model_name=adapter or "base",
        adapter=adapter,
        run_key="greedy",
    )
    return {t.prompt_id: outcome(t, 0) for t in traces}


def outcome(trace: Trace, index: int) -> bool | None:
    response = trace.responses[index]
    score = next(s for s in trace.scores if s.response_id == response.id and s.name == "verifier")
    return outcome_of(score.verdict, response)


def best_of(
    engine: Any, prompts: Sequence[Prompt], traces: dict[str, Trace], scorer: str
) -> dict[str, bool | None]:
    """Outcome of the response that the scorer ranks first; a response counts as its worst step."""
    asked = [(p, i, r) for p in prompts for i, r in enumerate(traces[p.id].responses)]
    requests = [
        RewardRequest(TERSE.solve(p), r.text, tuple(s.end for s in r.steps), scorer) for p, _, r in asked
    ]
    best: dict[str, tuple[float, int]] = {}
    for (prompt, index, _), scores in zip(asked, engine.reward(requests), strict=True):
        worst = min(scores, default=0.0)
        if prompt.id not in best or worst > best[prompt.id][0]:
            best[prompt.id] = (worst, index)
    return {p.id: outcome(traces[p.id], best[p.id][1]) for p in prompts}


def compare(before: dict[str, bool | None], after: dict[str, bool | None]) -> dict[str, Any]:
    a, b, _ = paired(before, after)
    size = paired_bootstrap(a, b)
    return {
        "before": round(100 * accuracy(a).value, 1),
        "after": round(100 * accuracy(b).value, 1),
        "gain": round(100 * size.effect, 1),
        "ci95": [round(100 * x, 1) for x in size.ci95],
        "p": mcnemar(a, b).p_value,
    }


def share(outcomes: dict[str, bool | None]) -> str:
    return f"{100 * (accuracy(outcomes.values()).value or 0):.1f} %"


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    lines = [
        "| objective | rows | before | after, each seed | gain, mean | 95 % of each seed |",
        "|---|---|---|---|---|---|",
    ]
    for name, runs in found.items():
        if runs:
            mean = sum(r["gain"] for r in runs) / len(runs)
            after = " / ".join(f"{r['after']:.1f}" for r in runs)
            bounds = "; ".join(f"{r['ci95'][0]:+.1f} to {r['ci95'][1]:+.1f}" for r in runs)
            rows = " / ".join(str(r["rows"]) for r in runs)
            lines.append(f"| {name} | {rows} | {runs[0]['before']:.1f} | {after} | {mean:+.1f} | {bounds} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

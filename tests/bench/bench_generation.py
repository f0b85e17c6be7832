"""Batched generation against two naive loops, on the seed model, in one run.

``./run bench`` (``python -m tests.bench.bench_generation``). ``one_by_one`` samples one answer at a time
with ``model.generate``; ``by_prompt`` one prompt at a time, its samples together. All at temperature 1 with
the same limits. Ratios of one run are what counts; absolute speeds belong to the machine and its other users.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from loop.domains.arithmetic.generate import generate
from loop.model import GenerateRequest
from loop.records import Sampling, Split
from workers.engines.transformers_engine import TransformersEngine
from workers.seed.data import TERSE

ROOT = Path(__file__).parents[2]

MAX_NEW_TOKENS = 110


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=str(ROOT / "workers" / "seed" / "model"))
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument(
        "--naive-prompts", type=int, default=16, help="the naive loops run on this many of them"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()

    engine = TransformersEngine(options.model, device="cpu", threads=options.threads)
    sampling = Sampling(temperature=1.0, max_new_tokens=MAX_NEW_TOKENS)
    requests = [
        GenerateRequest(TERSE.solve(prompt), sampling, tuple(range(i * 1000, i * 1000 + options.samples)))
        for i, prompt in enumerate(generate(options.prompts, 2718, Split.TRAIN))
    ]
    engine.generate(requests[:2])
    few = requests[: options.naive_prompts]
    naive = {"one_by_one": run_naive(engine, few, 1), "by_prompt": run_naive(engine, few, options.samples)}
    batched = run_batched(engine, requests)
    result = {
        "prompts": options.prompts,
        "samples": options.samples,
        "threads": options.threads,
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "batched": batched,
        **naive,
        "ratio": round(batched["tokens_per_s"] / naive["one_by_one"]["tokens_per_s"], 2),
        "ratio_to_by_prompt": round(batched["tokens_per_s"] / naive["by_prompt"]["tokens_per_s"], 2),
    }
    target = ROOT / "var" / "bench" / "generation.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def run_batched(engine: TransformersEngine, requests: list[GenerateRequest]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    answers = engine.generate(requests)
    return speed(sum(len(c.token_ids) for cs in answers for c in cs), wall, cpu)


def run_naive(engine: TransformersEngine, requests: list[GenerateRequest], together: int) -> dict[str, float]:
    """``model.generate`` for one prompt, ``together`` samples at a time, until every request has its n."""
    import torch

    wall, cpu, tokens = time.perf_counter(), time.process_time(), 0
    for request in requests:
        ids = torch.tensor([engine.tokens.prompt_ids(request.messages)])
        for _ in range(0, request.n, together):
            out = engine.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                top_k=0,
                max_new_tokens=MAX_NEW_TOKENS,
                num_return_sequences=together,
            )
            for row in out[:, ids.shape[1] :].tolist():
                ends = [i for i, token in enumerate(row) if token in engine.tokens.end_ids]
                tokens += ends[0] + 1 if ends else len(row)
    return speed(tokens, wall, cpu)


def speed(tokens: int, wall: float, cpu: float) -> dict[str, float]:
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "tokens": tokens,
        "seconds": round(seconds, 2),
        "tokens_per_s": round(tokens / seconds, 1),
        "cpu_ms_per_token": round(1000 * cpu_seconds / tokens, 4),
    }


if __name__ == "__main__":
    main()

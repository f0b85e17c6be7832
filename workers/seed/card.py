"""Writes the seed model's card: how it was made and what was measured, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workers.seed.data import HABIT

_CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
---
# Whetstone's seed model

A Llama-architecture model of {millions:.2f} million parameters, trained from scratch on generated word
problems so that every method of the loop has something real to improve, in seconds, on a laptop. It
solves, criticises and rewrites, imperfectly and on purpose; comparing two solutions it does at chance.

## How it was made
`{command}`

| | |
|---|---|
{facts}

Data: word problems of `loop/domains/arithmetic`, levels 1 to 4 (2 to 5 operations), written anew for every
example. Only families (calculations) of the train split were used; held-out and probe families were never
seen. The four actions are worded by the dialect `terse-1`. Right critiques, rewrites and comparisons come
from the domain's program; drafts are right solutions, solutions with one planted error, and the model's own
samples.

The solutions it learns to write hold two bad habits, put in on purpose: where one bears on the problem,
{habit:.0%} of the solutions subtract instead of dividing, or forget to add the first part when asked for a
total. Most of what a first round of self-training gains on these prompts is the habits unlearnt; expect far
less from a model whose errors were not made to be unlearnt.

## What it can do
On {heldout} held-out prompts (`project_prompts()`), with Wilson 95 % intervals. The prompts are generated;
none is a real user's.

| ability | share | 95 % interval | of |
|---|---|---|---|
{abilities}

Balanced accuracy of the step critique: {balanced:.3f} (0.5 is chance).

Measure again: `python -m workers.seed.evaluate workers/seed/model`

## Limits
It knows nothing but these problems: on text of another kind (GSM8K, say) expect an accuracy near zero.
Numbers above about 200 are rare in its data. Words outside its vocabulary are read byte by byte, at one
token per byte; the context is 1024 tokens, of which training used about 230.
"""


def balanced_accuracy(measured: Mapping[str, Mapping[str, Any]]) -> float:
    """Mean of the shares of right steps passed and wrong steps caught, on the model's own samples."""
    passed, caught = measured["critique, right steps passed"], measured["critique, wrong steps caught"]
    return float(passed["value"] + caught["value"]) / 2


def write_card(folder: Path, facts: Mapping[str, Any], measured: Mapping[str, Mapping[str, Any]]) -> None:
    rows = [
        f"| {name} | {100 * m['value']:.1f} % | {100 * m['low']:.1f} to {100 * m['high']:.1f} % | {m['of']} |"
        for name, m in measured.items()
    ]
    card = _CARD.format(
        millions=facts["parameters"] / 1e6,
        command=f"python -m workers.seed.train --out workers/seed/model --seed {facts['seed']}",
        facts="\n".join(f"| {name.replace('_', ' ')} | {value} |" for name, value in facts.items()),
        habit=HABIT,
        heldout=measured["solve, greedy"]["of"],
        abilities="\n".join(rows),
        balanced=balanced_accuracy(measured),
    )
    (folder / "README.md").write_text(card)

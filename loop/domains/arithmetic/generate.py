"""Generated word problems as prompts, in splits that share no family.

A family is a calculation: two problems with the same operations on the same numbers are alike
whatever the names, things and wording. The hash of the family decides its split, so the splits are
disjoint by construction, come from one distribution, and a model pre-trained on ``train`` families
has seen no held-out calculation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from random import Random

from loop.domains.arithmetic.story import OPERATIONS, Story, compose
from loop.records import Message, Prompt, Split

DOMAIN = "arithmetic"
LEVELS: tuple[int, ...] = tuple(OPERATIONS)
# Of 100 families: 0-4 are probe, 5-24 held-out, the rest train.
_PROBE_BELOW, _HELDOUT_BELOW = 5, 25
PROJECT_SEED = 2718


def family_of(story: Story) -> str:
    """The name shared by all problems with this calculation: a hash of program and numbers."""
    parts = []
    for op, *operands in story.program:
        named = [o if o[0] == "s" else str(story.of(o)) for o in operands]
        parts.append([op, *(sorted(named) if op in "+*" else named)])  # 3 * 4 is 4 * 3
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def split_of(family: str) -> Split:
    bucket = int(hashlib.sha256(f"split/{family}".encode()).hexdigest()[:8], 16) % 100
    if bucket < _PROBE_BELOW:
        return Split.PROBE
    return Split.HELDOUT if bucket < _HELDOUT_BELOW else Split.TRAIN


def prompt_from(story: Story, split: Split, family: str) -> Prompt:
    text = " ".join([*story.sentences, story.question])
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Prompt(
        id=f"{DOMAIN}-{digest}",
        messages=(Message("user", text),),
        split=split,
        reference=str(story.value),
        verifier=DOMAIN,
        family=family,
        meta={
            "domain": DOMAIN,
            "level": len(story.program) - 1,
            "numbers": list(story.numbers),
            "program": [list(step) for step in story.program],
        },
    )


def generate(n: int, seed: int, split: Split, levels: Sequence[int] = LEVELS) -> list[Prompt]:
    """``n`` prompts of the split, each of its own family; the same arguments give the same prompts.

    Levels are drawn evenly. Raises ValueError for a negative ``n`` or an unknown level.
    """
    if n < 0:
        raise ValueError(f"cannot generate {n} prompts")
    rng = Random(f"{DOMAIN}/{seed}/{split}")
    families: set[str] = set()
    prompts: list[Prompt] = []
    while len(prompts) < n:
        story = compose(rng, levels[len(prompts) % len(levels)])
        family = family_of(story)
        if family in families or split_of(family) is not split:
            continue
        families.add(family)
        prompts.append(prompt_from(story, split, family))
    return prompts


def project_prompts(
    train: int = 800, heldout: int = 600, probe: int = 150, seed: int = PROJECT_SEED
) -> list[Prompt]:
    """The demo project's prompts, all three splits. Sizes: enough for a gate to see 5 points."""
    sizes = ((Split.TRAIN, train), (Split.HELDOUT, heldout), (Split.PROBE, probe))
    return [prompt for split, n in sizes for prompt in generate(n, seed, split)]

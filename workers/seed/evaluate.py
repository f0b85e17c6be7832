"""What the seed model can do, on held-out prompts, each share with its 95 % interval.

``python -m workers.seed.evaluate workers/seed/model`` prints the table as JSON.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from loop.domains.arithmetic.check import judge
from loop.domains.arithmetic.generate import project_prompts
from loop.records import Author, Critique, Mark, Message, Prompt, Response, Split, Verdict
from workers.seed.data import TERSE, response_of, true_critique

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Talk = Sequence[Message]


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``of``, with the Wilson 95 % interval."""

    value: float
    low: float
    high: float
    hits: int
    of: int


def share(hits: int, of: int) -> Share:
    """A Wilson interval (Wilson, 1927); an empty count gives 0 with the whole range."""
    if of == 0:
        return Share(0.0, 0.0, 1.0, 0, 0)
    z, p = 1.959964, hits / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return Share(p, middle - half, middle + half, hits, of)


def generate_texts(
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    talks: Sequence[Talk],
    *,
    n: int = 1,
    temperature: float = 0.0,
    seed: int = 0,
    batch: int = 128,
    max_new_tokens: int = 110,
) -> list[list[str]]:
    """``n`` answers to each conversation, batched by length; greedy at temperature 0."""
    import torch

    torch.manual_seed(seed)
    model.eval()
    shown = [
        tokenizer.apply_chat_template(
            [{"role": m.role, "content": m.content} for m in talk], add_generation_prompt=True, tokenize=False
        )
        for talk in talks
    ]
    order = sorted(range(len(shown)), key=lambda i: len(shown[i]))
    out: list[list[str]] = [[] for _ in shown]
    sampling = (
        {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0} if temperature else {}
    )
    rows = max(1, batch // n)
    for begin in range(0, len(order), rows):
        picked = order[begin : begin + rows]
        inputs = tokenizer(
            [shown[i] for i in picked], padding=True, add_special_tokens=False, return_tensors="pt"
        )
        with torch.inference_mode():
            made = model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                max_new_tokens=max_new_tokens,
                num_return_sequences=n,
                do_sample=bool(temperature),
                **{k: v for k, v in sampling.items() if k != "do_sample"},
            )
        texts = tokenizer.batch_decode(made[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        for place, i in enumerate(picked):
            out[i] = texts[place * n : (place + 1) * n]
    return out


def verdict(prompt: Prompt, text: str) -> bool:
    return judge(prompt, text.split("\n")).verdict is Verdict.RIGHT


def solve_greedy(model: Any, tokenizer: Any, prompts: Sequence[Prompt]) -> list[str]:
    return [t[0] for t in generate_texts(model, tokenizer, [TERSE.solve(p) for p in prompts])]


def measure(folder: Path, *, heldout: int = 600, seed: int = 1) -> dict[str, Any]:
    """Every ability as a `Share` (as a dict), plus accuracy by level."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    prompts = [p for p in project_prompts(0, heldout, 0) if p.split is Split.HELDOUT]
    greedy = solve_greedy(model, tokenizer, prompts)
    right = [verdict(p, t) for p, t in zip(prompts, greedy, strict=True)]
    sampled = generate_texts(
        model, tokenizer, [TERSE.solve(p) for p in prompts], n=8, temperature=0.8, seed=seed
    )
    truth = [[verdict(p, t) for t in texts] for p, texts in zip(prompts, sampled, strict=True)]
    found: dict[str, Share] = {
        "solve, greedy": share(sum(right), len(right)),
        "solve, one sample at 0.8": share(sum(map(sum, truth)), 8 * len(truth)),
        "solve, any of 8 at 0.8": share(sum(map(any, truth)), len(truth)),
    }
    for level in (1, 2, 3, 4):
        at = [r for p, r in zip(prompts, right, strict=True) if p.meta["level"] == level]
        found[f"solve, greedy, level {level}"] = share(sum(at), len(at))
    drafts = [(p, response_of(p, t[0])) for p, t in zip(prompts, sampled, strict=True)]
    found |= _critiques(model, tokenizer, drafts)
    found |= _rewrites(
        model, tokenizer, [(p, response_of(p, t)) for p, t in zip(prompts, greedy, strict=True)]
    )
    found |= _comparisons(model, tokenizer, prompts, sampled, truth, seed)
    return {name: asdict(value) for name, value in found.items()}


def _critiques(model: Any, tokenizer: Any, drafts: Sequence[tuple[Prompt, Response]]) -> dict[str, Share]:
    """Of the model's own samples: are right and wrong steps told apart, up to the true first error?"""
    texts = generate_texts(model, tokenizer, [TERSE.critique(p, r) for p, r in drafts])
    read = good = good_of = wrong = wrong_of = located = erring = passed = sound = 0
    for (prompt, draft), text in zip(drafts, texts, strict=True):
        said, true = TERSE.read_critique(text[0], draft), true_critique(prompt, draft)
        if said is None:
            continue
        read += 1
        for ours, theirs in zip(true.marks, said.marks, strict=True):
            good_of += ours is Mark.GOOD
            good += ours is Mark.GOOD and theirs in (Mark.GOOD, Mark.NEUTRAL)
            wrong_of += ours is Mark.WRONG
            wrong += ours is Mark.WRONG and theirs is not Mark.GOOD and theirs is not Mark.NEUTRAL
        if true.first_error is None:
            sound += 1
            passed += said.first_error is None
        else:
            erring += 1
            located += said.first_error == true.first_error
    return {
        "critique, readable": share(read, len(drafts)),
        "critique, right steps passed": share(good, good_of),
        "critique, wrong steps caught": share(wrong, wrong_of),
        "critique, first error named exactly": share(located, erring),
        "critique, sound solutions passed": share(passed, sound),
    }


def _rewrites(model: Any, tokenizer: Any, drafts: Sequence[tuple[Prompt, Response]]) -> dict[str, Share]:
    """Greedy drafts rewritten after the model's own critique and after the true one."""
    said = generate_texts(model, tokenizer, [TERSE.critique(p, r) for p, r in drafts])
    own = [_own_critique(r, t[0]) for (_, r), t in zip(drafts, said, strict=True)]
    true = [true_critique(p, r) for p, r in drafts]
    found = {}
    was = [c.verdict is Verdict.RIGHT for c in true]
    for name, notes in (("own", own), ("true", true)):
        talks = [TERSE.refine(p, r, [c]) for (p, r), c in zip(drafts, notes, strict=True)]
        texts = generate_texts(model, tokenizer, talks)
        now = [verdict(p, t[0]) for (p, _), t in zip(drafts, texts, strict=True)]
        pairs = list(zip(was, now, strict=True))
        found[f"rewrite after the {name} critique, wrong drafts fixed"] = share(
            sum(n and not w for w, n in pairs), was.count(False)
        )
        found[f"rewrite after the {name} critique, right drafts kept"] = share(
            sum(n and w for w, n in pairs), was.count(True)
        )
    return found


def _own_critique(draft: Response, text: str) -> Critique:
    read = TERSE.read_critique(text, draft)
    if read is None:
        return Critique(
            "", draft.id, Author.MODEL, (None,) * len(draft.steps), None, Verdict.UNKNOWN, parsed=False
        )
    return Critique("", draft.id, Author.MODEL, read.marks, read.first_error, read.verdict, read.comments,
                    read.corrections)  # fmt: skip


def _comparisons(
    model: Any, tokenizer: Any, prompts: Sequence[Prompt], sampled: Sequence[Sequence[str]],
    truth: Sequence[Sequence[bool]], seed: int,
) -> dict[str, Share]:  # fmt: skip
    """A right and a wrong sample of the same prompt, in random order: is the right one preferred?"""
    rng = Random(seed)
    talks, better = [], []
    for prompt, texts, marks in zip(prompts, sampled, truth, strict=True):
        if not any(marks) or all(marks):
            continue
        pair = [texts[marks.index(True)], texts[marks.index(False)]]
        flip = rng.random() < 0.5
        better.append(int(flip))
        talks.append(TERSE.judge(prompt, [response_of(prompt, t) for t in (pair[::-1] if flip else pair)]))
    said = [TERSE.read_judgement(t[0], 2) for t in generate_texts(model, tokenizer, talks)]
    return {
        "judge, right over wrong": share(sum(s == b for s, b in zip(said, better, strict=True)), len(better))
    }


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1])), indent=1))

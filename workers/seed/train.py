"""Makes the seed model from nothing: ``python -m workers.seed.train --out workers/seed/model --seed 0``.

A small Llama learns the four actions of the terse dialect on generated word problems of train
families. Training stops on purpose while about half of the held-out problems are still missed: the loop
needs something to improve. Later the model's own samples join the drafts it learns to criticise,
rewrite and compare. The same seed, steps and thread count give the same model on the same machine.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from loop.records import Prompt
from workers.seed.data import Example, examples, train_prompt

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

STEPS = 2600
BATCH = 32  # examples
MUON_RATE, ADAM_RATE = 0.02, 3e-3
WARM_UP = 100
OWN_SAMPLES_AT = 0.55  # share of the steps after which the model's own samples join
OWN_PROMPTS, OWN_PER_PROMPT = 1500, 4
SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
}
Row = tuple[list[int], list[int]]  # token ids, 1 where the token is learnt


def new_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    from transformers import LlamaConfig, LlamaForCausalLM

    from workers.seed.tokenizer import CONTEXT

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **SHAPE,
    )
    return LlamaForCausalLM(config)


def as_row(tokenizer: PreTrainedTokenizerFast, example: Example) -> Row:
    """Token ids of the whole conversation, and which of them are learnt: every assistant turn and its end."""
    talk = [{"role": m.role, "content": m.content} for m in example.messages]
    read = tokenizer.apply_chat_template(
        [*talk, {"role": "assistant", "content": example.target}],
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    return read["input_ids"], read["assistant_masks"]


def batches(rows: Iterator[Row], pad: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of like length (sorted within 16 batches), padded on the right, with labels on targets only."""
    import torch

    order = Random(0)
    while True:
        chunk = sorted(itertools.islice(rows, BATCH * 16), key=lambda r: len(r[0]))
        groups = [chunk[i : i + BATCH] for i in range(0, len(chunk), BATCH)]
        order.shuffle(groups)
        for group in groups:
            width = max(len(ids) for ids, _ in group)
            ids = [i + [pad] * (width - len(i)) for i, _ in group]
            labels = [
                [t if learnt else -100 for t, learnt in zip(i, mask, strict=True)] + [-100] * (width - len(i))
                for i, mask in group
            ]
            yield torch.tensor(ids), torch.tensor(labels)


def optimizers_of(model: LlamaForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al., 2024) for the matrices, AdamW for embeddings and norms.

    Muon needs about half of AdamW's steps here, which matters on two cores.
    """
    import torch

    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    muon = torch.optim.Muon(matrices, lr=MUON_RATE, momentum=0.95, weight_decay=0.01)
    adam = torch.optim.AdamW(rest, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0)
    for optimizer, rate in ((muon, MUON_RATE), (adam, ADAM_RATE)):
        for group in optimizer.param_groups:
            group["full"] = rate
    return [muon, adam]


def _keep_memory() -> None:
    """Let glibc keep freed memory: asking the kernel anew for each large tensor halves the speed."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        m_trim_threshold, m_mmap_max = -1, -4
        libc.mallopt(m_mmap_max, 0)
        libc.mallopt(m_trim_threshold, 2**31 - 1)


def rate_at(step: int, steps: int) -> float:
    """Share of the full learning rate: linear warm-up, then cosine down to a tenth."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - WARM_UP) / max(1, steps - WARM_UP)))


def own_samples(
    model: Any, tokenizer: PreTrainedTokenizerFast, rng: Random
) -> list[tuple[Prompt, Sequence[str]]]:
    """The model's own solutions of fresh train prompts, several each."""
    from workers.seed.evaluate import generate_texts

    prompts = [train_prompt(rng) for _ in range(OWN_PROMPTS)]
    texts = generate_texts(
        model,
        tokenizer,
        [p.messages for p in prompts],
        n=OWN_PER_PROMPT,
        temperature=0.9,
        seed=rng.randrange(2**31),
    )
    return list(zip(prompts, texts, strict=True))


def train(
    out: Path, *, seed: int, steps: int, minutes: float | None = None, threads: int = 2, save_every: int = 0
) -> dict[str, Any]:
    """Train and save; returns the facts for the model card. Stops early when ``minutes`` run out."""
    import torch

    from workers.seed.tokenizer import build

    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    _keep_memory()
    rng = Random(seed)
    vocabulary = itertools.islice(examples(Random(f"vocabulary/{seed}")), 6000)
    tokenizer = build(t for e in vocabulary for t in (*(m.content for m in e.messages), e.target))
    model = new_model(tokenizer)
    optimizers = optimizers_of(model)
    source = batches((as_row(tokenizer, e) for e in examples(rng)), tokenizer.pad_token_id)
    began, step, running = time.monotonic(), 0, 0.0
    model.train()
    for step in range(steps):
        if minutes is not None and time.monotonic() - began > minutes * 60:
            print(f"stopping after {minutes} minutes, at step {step} of {steps}")
            break
        if step == int(steps * OWN_SAMPLES_AT):
            own = own_samples(model, tokenizer, rng)
            model.train()
            source = batches((as_row(tokenizer, e) for e in examples(rng, own=own)), tokenizer.pad_token_id)
        if save_every and step and step % save_every == 0:
            model.save_pretrained(out / f"step-{step}")
            tokenizer.save_pretrained(out / f"step-{step}")
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["full"] * rate_at(step, steps)
        ids, labels = next(source)
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        running = loss.item() if step == 0 else 0.98 * running + 0.02 * loss.item()
        if step % 100 == 0:
            print(f"step {step}/{steps}  loss {running:.4f}  {time.monotonic() - began:.0f} s", flush=True)
    model.eval()
    model.generation_config.max_new_tokens = 128
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return {
        "seed": seed,
        "steps": step + 1,
        "batch": BATCH,
        "learning_rates": f"Muon {MUON_RATE}, AdamW {ADAM_RATE}",
        "seconds": round(time.monotonic() - began),
        "threads": threads,
        "parameters": sum(p.numel() for p in model.parameters()),
        "vocabulary": len(tokenizer),
        "final_loss": round(running, 4),
        "torch": torch.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=Path("workers/seed/model"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument(
        "--minutes", type=float, help="stop earlier than --steps when this much time has passed"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save-every", type=int, default=0, help="also keep the model every so many steps")
    parser.add_argument("--no-card", action="store_true", help="skip measuring and the model card")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    facts = train(
        args.out,
        seed=args.seed,
        steps=args.steps,
        minutes=args.minutes,
        threads=args.threads,
        save_every=args.save_every,
    )
    print(json.dumps(facts))
    if not args.no_card:
        from workers.seed.card import write_card
        from workers.seed.check import write_sums
        from workers.seed.evaluate import measure

        write_card(args.out, facts, measure(args.out))
        write_sums(args.out)


if __name__ == "__main__":
    main()

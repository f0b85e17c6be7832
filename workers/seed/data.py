"""What the seed model is pre-trained on: the four actions in terse wording, from train families only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from loop.dialects.terse import Terse
from loop.domains.arithmetic.check import judge, solve_from
from loop.domains.arithmetic.generate import LEVELS, family_of, prompt_from, split_of
from loop.domains.arithmetic.mistakes import habitual, plant
from loop.domains.arithmetic.story import compose
from loop.records import Author, Critique, Mark, Message, Prompt, Response, Split, Verdict

TERSE = Terse()
# Shares of the examples. A rewrite comes with its critique in one conversation: both learnt in one pass.
SHARES = {"solve": 0.36, "refine": 0.46, "judge": 0.18}
# Drafts with an error are the more instructive ones: most steps are right even in them.
WRONG_DRAFTS = 0.65
# The solutions it learns to write hold common mistakes, as any large corpus does: where one of two bad habits
# bears on a problem, this share of the solutions follows it. That is the headroom: the critic learns from the
# truth, so the model can see what it does wrong, and samples hold the right way too.
HABIT = 0.6


@dataclass(frozen=True, slots=True)
class Example:
    """Every assistant turn is learnt: a critique within ``messages``, then ``target``."""

    messages: tuple[Message, ...]
    target: str
    action: str


def train_prompt(rng: Random) -> Prompt:
    """A fresh prompt of a train family; held-out and probe families are passed over."""
    while True:
        story = compose(rng, rng.choice(LEVELS))
        family = family_of(story)
        if split_of(family) is Split.TRAIN:
            return prompt_from(story, Split.TRAIN, family)


def response_of(prompt: Prompt, text: str, name: str = "draft") -> Response:
    return Response(name, prompt.id, text, TERSE.split_steps(text), answer=TERSE.read_answer(text))


def true_critique(prompt: Prompt, response: Response) -> Critique:
    read = judge(prompt, [s.text for s in response.steps])
    return Critique(
        "",
        response.id,
        Author.PROGRAM,
        read.marks,
        read.first_error,
        read.verdict,
        read.comments,
        read.corrections,
    )


def examples(
    rng: Random,
    shares: Mapping[str, float] = SHARES,
    own: Sequence[tuple[Prompt, Sequence[str]]] = (),
) -> Iterator[Example]:
    """Endless examples. ``own``: prompts with the model's own samples, which then make half of the drafts."""
    actions, weights = list(shares), list(shares.values())
    while True:
        action = rng.choices(actions, weights)[0]
        if own and action != "solve" and rng.random() < 0.5:
            prompt, samples = rng.choice(own)
            drafts = rng.sample(list(samples), 2)
        else:
            prompt = train_prompt(rng)
            drafts = (
                [_draft(prompt, rng, right=rng.random() >= WRONG_DRAFTS)]
                if action != "judge"
                else _pair(prompt, rng)
            )
        example = _example(action, prompt, drafts, rng)
        if example is not None:
            yield example


def _example(action: str, prompt: Prompt, drafts: Sequence[str], rng: Random) -> Example | None:
    if action == "solve":
        wrong = habitual(prompt) if rng.random() < HABIT else None
        return Example(TERSE.solve(prompt), "\n".join(wrong or solve_from(prompt)), action)
    first = response_of(prompt, drafts[0])
    truth = true_critique(prompt, first)
    if action == "refine":
        return Example(TERSE.refine(prompt, first, [truth]), _rewritten(prompt, first, truth), action)
    second = response_of(prompt, drafts[1])
    other = true_critique(prompt, second)
    if (truth.verdict is Verdict.RIGHT) == (other.verdict is Verdict.RIGHT):
        return None
    better = 0 if truth.verdict is Verdict.RIGHT else 1
    target = TERSE.write_judgement("\n".join(solve_from(prompt)), better)
    return Example(TERSE.judge(prompt, [first, second]), target, action)


def _rewritten(prompt: Prompt, draft: Response, critique: Critique) -> str:
    """The draft kept up to its first error, corrected there, and led to its end."""
    steps = [s.text for s in draft.steps]
    if critique.first_error is not None:
        steps = [*steps[: critique.first_error], critique.corrections[critique.first_error]]
    kept = [s for s, mark in zip(steps, judge(prompt, steps).marks, strict=True) if mark is not Mark.NEUTRAL]
    return "\n".join([*kept, *solve_from(prompt, kept)])


def _draft(prompt: Prompt, rng: Random, *, right: bool) -> str:
    if not right:
        return "\n".join(plant(prompt, rng)[0])
    steps = solve_from(prompt)
    # Now and then a sum or product written the other way round, or a step said twice.
    steps = [_swapped(s) if rng.random() < 0.1 else s for s in steps]
    if rng.random() < 0.06:
        at = rng.randrange(len(steps) - 1)
        steps.insert(at + 1, steps[at])
    return "\n".join(steps)


def _pair(prompt: Prompt, rng: Random) -> list[str]:
    pair = [_draft(prompt, rng, right=True), _draft(prompt, rng, right=False)]
    rng.shuffle(pair)
    return pair


def _swapped(step: str) -> str:
    words = step.split()
    if len(words) == 5 and words[1] in "+*":
        words[0], words[2] = words[2], words[0]
    return " ".join(words)

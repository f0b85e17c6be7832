"""What the seed model is pre-trained on: train families only, true critiques, right rewrites."""

from __future__ import annotations

from itertools import islice
from random import Random

from loop.domains.arithmetic.check import judge, solve_from
from loop.domains.arithmetic.generate import split_of
from loop.domains.arithmetic.mistakes import habitual
from loop.records import Split, Verdict
from workers.seed.data import TERSE, examples, response_of, train_prompt, true_critique
from workers.seed.evaluate import share


def test_prompts_are_of_train_families() -> None:
    rng = Random(4)
    assert {split_of(train_prompt(rng).family) for _ in range(300)} == {Split.TRAIN}


def test_the_model_s_own_samples_become_drafts_and_every_rewrite_is_right() -> None:
    rng = Random(5)
    prompt = train_prompt(rng)
    nonsense = ["", "3 * = 4\nAnswer: x", "Answer: 1\nAnswer: 2", "\n".join(solve_from(prompt)), "1 + 1 = 2"]
    made = list(islice(examples(rng, own=[(prompt, nonsense)]), 400))
    assert {e.action for e in made} == {"solve", "refine", "judge"}
    about = [e for e in made if e.action == "refine" and e.messages[0].content.startswith(prompt.text)]
    assert len(about) > 50
    assert all(judge(prompt, e.target.split("\n")).verdict is Verdict.RIGHT for e in about)
    for example in about:
        draft = example.messages[0].content.split("Draft:\n")[1].removesuffix("\nCheck:")
        response = response_of(prompt, draft)
        assert example.messages[1].content == TERSE.write_critique(true_critique(prompt, response), response)


def test_habits_are_wrong_and_bear_on_a_part_of_the_problems() -> None:
    rng = Random(6)
    prompts = [train_prompt(rng) for _ in range(300)]
    found = [(p, steps) for p in prompts if (steps := habitual(p))]
    assert 60 < len(found) < 200
    wrong = [judge(p, steps).first_error is not None for p, steps in found]
    assert all(wrong)


def test_the_interval_is_wilson_s() -> None:
    half = share(50, 100)
    assert (round(half.low, 4), round(half.high, 4)) == (0.4038, 0.5962)
    assert (share(0, 0).low, share(0, 0).high) == (0.0, 1.0)

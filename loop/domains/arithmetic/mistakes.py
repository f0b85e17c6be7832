"""Realistic errors, planted one at a time or out of habit; what follows builds on them, as in life."""

from __future__ import annotations

from random import Random

from loop.domains.arithmetic.check import judge, solve_from
from loop.records import Prompt

KINDS = ("slip", "operation", "number", "early answer", "answer")


def plant(prompt: Prompt, rng: Random) -> tuple[list[str], int]:
    """A solution with exactly one planted first error: its steps and the error's position (0-based).

    What follows the error uses its wrong result, as it would in life.
    """
    while True:
        steps, at = _planted(prompt, rng)
        if judge(prompt, steps).first_error == at:  # a drawn "error" can by chance be another right route
            return steps, at


def habitual(prompt: Prompt) -> list[str] | None:
    """The solution of someone with two common bad habits; None where neither habit bears on the problem.

    They subtract where they should divide, and asked for a total they forget to add the first part.
    """
    program = [list(step) for step in prompt.meta["program"]]
    last, before = program[-1], program[-2]
    forgets = last[0] == "+" and last[2] == f"s{len(program) - 2}" and before[1] == last[1]
    changed = [
        ["-", a, b] if op == "/" else [op, a, b] for op, a, b in (program[:-1] if forgets else program)
    ]
    if changed == program:
        return None
    return _worked(prompt, changed)


def _planted(prompt: Prompt, rng: Random) -> tuple[list[str], int]:
    right = solve_from(prompt)
    program = prompt.meta["program"]
    numbers = prompt.meta["numbers"]
    kind = rng.choices(KINDS, weights=(5, 4, 3, 1, 1))[0]
    at = rng.randrange(len(program))
    if kind == "answer":
        return [*right[:-1], f"Answer: {_slip(int(right[-1].split()[-1]), rng)}"], len(program)
    if kind == "early answer":
        cut = rng.randrange(1, len(program))
        return [*right[:cut], f"Answer: {right[cut - 1].split()[-1]}"], cut
    changed = [list(step) for step in program]
    slip = None
    if kind == "operation":
        changed[at][0] = rng.choice([o for o in "+-*/" if o != changed[at][0]])
    elif kind == "number":
        changed[at][1 if rng.random() < 0.3 else 2] = f"n{rng.randrange(len(numbers))}"
    else:
        slip = at, _slip(int(right[at].split()[-1]), rng)
    steps = _worked(prompt, changed, slip)
    return (steps, at) if steps else _planted(prompt, rng)


def _slip(value: int, rng: Random) -> int:
    """A nearby wrong number: off by one, two or ten, or with two digits swapped."""
    options = [value + d for d in (-10, -2, -1, 1, 2, 10)]
    text = str(value)
    if len(text) > 1:
        options.append(int(text[:-2] + text[-1] + text[-2]))
    return rng.choice([o for o in options if o > 0 and o != value])


def _worked(
    prompt: Prompt, program: list[list[str]], slip: tuple[int, int] | None = None
) -> list[str] | None:
    """The steps of another program on the prompt's numbers, one result replaced by a slip if wanted.

    None when a result is no whole number from 1 to 999: nobody would write that down and go on.
    """
    known = {f"n{i}": int(n) for i, n in enumerate(prompt.meta["numbers"])}
    steps = []
    for index, (op, left, right) in enumerate(program):
        a, b = known[left], known[right]
        if op == "/" and b == 0:
            return None
        value = {"+": a + b, "-": a - b, "*": a * b, "/": a // max(b, 1)}[op]  # rounds down
        if slip and slip[0] == index:
            value = slip[1]
        if not 1 <= value <= 999:
            return None
        known[f"s{index}"] = value
        steps.append(f"{a} {op} {b} = {value}")
    return [*steps, f"Answer: {value}"]

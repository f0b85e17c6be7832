"""Plants one realistic error into a right solution, and goes on from it as a person who erred would."""

from __future__ import annotations

from random import Random

from loop.domains.arithmetic.check import judge, problem_of, solve_from
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


def _planted(prompt: Prompt, rng: Random) -> tuple[list[str], int]:
    right = solve_from(prompt)
    kind = rng.choices(KINDS, weights=(5, 4, 3, 1, 1))[0]
    at = rng.randrange(len(right) - 1)
    if kind == "answer":
        return [*right[:-1], f"Answer: {_slip(int(right[-1].split()[-1]), rng)}"], len(right) - 1
    if kind == "early answer":
        cut = rng.randrange(1, len(right) - 1) if len(right) > 2 else 1
        return [*right[:cut], f"Answer: {right[cut - 1].split()[-1]}"], cut
    numbers = [int(f.value) for f in problem_of(prompt).numbers]
    left, op, other, _, result = right[at].split()
    a, b, value = int(left), int(other), int(result)
    if kind == "operation":
        op = rng.choice([o for o in "+-*/" if o != op])
    elif kind == "number":
        a, b = (rng.choice(numbers), b) if rng.random() < 0.3 else (a, rng.choice(numbers))
    if kind != "slip":
        if op == "/" and (b == 0 or a % b):
            op = "*"
        value = {"+": a + b, "-": a - b, "*": a * b, "/": a // b if b else 0}[op]
        if not 0 < value < 1000:
            return _planted(prompt, rng)
    else:
        value = _slip(value, rng)
    wrong = f"{a} {op} {b} = {value}"
    return [*right[:at], wrong, *_carry_on(right[at:], value)], at


def _slip(value: int, rng: Random) -> int:
    """A nearby wrong number: off by one, two or ten, or with two digits swapped."""
    options = [value + d for d in (-10, -2, -1, 1, 2, 10)]
    text = str(value)
    if len(text) > 1:
        options.append(int(text[:-2] + text[-1] + text[-2]))
    return rng.choice([o for o in options if o > 0 and o != value])


def _carry_on(right: list[str], wrong_value: int) -> list[str]:
    """The remaining right steps with the wrong result put in wherever the right one was used."""
    swap = {int(right[0].split()[-1]): wrong_value}
    out = []
    for step in right[1:]:
        words = step.split()
        if words[0] == "Answer:":
            out.append(f"Answer: {swap.get(int(words[1]), int(words[1]))}")
            continue
        a, b = (swap.get(int(w), int(w)) for w in (words[0], words[2]))
        op = words[1]
        value = {"+": a + b, "-": a - b, "*": a * b, "/": a // b if b else 0}[op]
        swap[int(words[4])] = value
        out.append(f"{a} {op} {b} = {value}")
    return out

"""Composes one word problem: an opening, some events, perhaps a distractor, a question.

A story keeps a running quantity. Each sentence adds operations to the program: ``[op, left, right]``
with operands ``"n3"`` (the fourth number of the problem) or ``"s0"`` (the result of the first
operation). The last operation is the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

NAMES = [
    "Ada",
    "Ben",
    "Cora",
    "Dan",
    "Ella",
    "Finn",
    "Gita",
    "Hugo",
    "Iris",
    "Jon",
    "Kim",
    "Leo",
    "Mia",
    "Nils",
    "Olga",
    "Paul",
    "Rosa",
    "Sam",
    "Tara",
    "Uma",
    "Vera",
    "Will",
    "Yara",
    "Zoe",
]
THINGS = [
    "apples",
    "pens",
    "books",
    "coins",
    "cards",
    "marbles",
    "shells",
    "stamps",
    "cookies",
    "eggs",
    "candles",
    "buttons",
    "beads",
    "tickets",
    "plums",
    "roses",
]
OTHER_THINGS = ["chairs", "lamps", "hats", "spoons", "kites", "drums"]
CONTAINERS = ["boxes", "bags", "baskets", "crates", "jars", "packs"]
COLOURS = ["red", "blue", "green", "white"]

# Largest running quantity by level, and how many operations a problem of the level has.
CEILING = {1: 60, 2: 90, 3: 120, 4: 150}
OPERATIONS = {1: 2, 2: 3, 3: 4, 4: 5}
DISTRACTOR_SHARE = {1: 0.0, 2: 0.0, 3: 0.3, 4: 0.5}


class DoesNotFit(Exception):
    """The drawn event cannot follow here (too large, not divisible, too many operations)."""


@dataclass(slots=True)
class Story:
    """A problem being written. ``ref``/``value`` are the running quantity's operand and number."""

    rng: Random
    ceiling: int
    operations: int
    who: str = ""
    other: str = ""
    third: str = ""
    things: str = ""
    container: str = ""
    numbers: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    program: list[list[str]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    question: str = ""
    ref: str = ""
    value: int = 0

    @property
    def left(self) -> int:
        return self.operations - len(self.program)

    def number(self, low: int, high: int) -> str:
        if high < low:
            raise DoesNotFit
        self.numbers.append(self.rng.randint(low, high))
        return f"n{len(self.numbers) - 1}"

    def given(self, number: int) -> str:
        self.numbers.append(number)
        return f"n{len(self.numbers) - 1}"

    def of(self, ref: str) -> int:
        return (self.numbers if ref[0] == "n" else self.values)[int(ref[1:])]

    def do(self, op: str, left: str, right: str) -> str:
        """Append an operation; its result must be a whole number from 1 to the ceiling."""
        a, b = self.of(left), self.of(right)
        if len(self.program) >= self.operations or (op == "/" and (b == 0 or a % b)):
            raise DoesNotFit
        result = {"+": a + b, "-": a - b, "*": a * b, "/": a // b if b else 0}[op]
        if not 1 <= result <= self.ceiling:
            raise DoesNotFit
        self.program.append([op, left, right])
        self.values.append(result)
        return f"s{len(self.values) - 1}"

    def becomes(self, ref: str) -> None:
        self.ref, self.value = ref, self.of(ref)

    def say(self, *variants: str) -> None:
        self.sentences.append(self.rng.choice(variants))


def open_plain(s: Story) -> None:
    n = s.number(8, s.ceiling // 2)
    s.becomes(n)
    s.say(f"{s.who} has {s.value} {s.things}.", f"{s.who} starts with {s.value} {s.things}.")


def open_containers(s: Story) -> None:
    a, b = s.number(2, 9), s.number(3, 12)
    s.becomes(s.do("*", a, b))
    s.say(
        f"{s.who} has {s.of(a)} {s.container} with {s.of(b)} {s.things} each.",
        f"{s.who} fills {s.of(a)} {s.container} and puts {s.of(b)} {s.things} in each.",
    )


def open_colours(s: Story) -> None:
    first, second = s.rng.sample(COLOURS, 2)
    a, b = s.number(4, s.ceiling // 3), s.number(4, s.ceiling // 3)
    s.becomes(s.do("+", a, b))
    s.say(f"{s.who} has {s.of(a)} {first} {s.things} and {s.of(b)} {second} {s.things}.")


def gain(s: Story) -> None:
    n = s.number(3, min(40, s.ceiling - s.value))
    s.becomes(s.do("+", s.ref, n))
    k = s.of(n)
    s.say(
        f"{s.who} buys {k} more.",
        f"{s.who} finds {k} more {s.things}.",
        f"{s.third} gives {s.who} {k} {s.things}.",
    )


def loss(s: Story) -> None:
    n = s.number(3, min(40, s.value - 2))
    s.becomes(s.do("-", s.ref, n))
    k = s.of(n)
    s.say(
        f"{s.who} loses {k} of them.",
        f"{s.who} gives {k} {s.things} to {s.third}.",
        f"{s.who} sells {k} {s.things}.",
    )


def gain_packs(s: Story) -> None:
    a, b = s.number(2, 6), s.number(2, 9)
    s.becomes(s.do("+", s.ref, s.do("*", a, b)))
    s.say(
        f"{s.who} buys {s.of(a)} {s.container} of {s.of(b)} {s.things}.",
        f"Then {s.of(a)} friends bring {s.who} {s.of(b)} {s.things} each.",
    )


def loss_each(s: Story) -> None:
    a, b = s.number(2, 6), s.number(2, 9)
    s.becomes(s.do("-", s.ref, s.do("*", a, b)))
    s.say(
        f"{s.who} gives {s.of(b)} {s.things} to each of {s.of(a)} friends.",
        f"{s.who} uses {s.of(b)} {s.things} a day for {s.of(a)} days.",
    )


def times(s: Story) -> None:
    n = s.number(2, min(5, s.ceiling // max(s.value, 1)))
    s.becomes(s.do("*", s.ref, n))
    k = s.of(n)
    s.say(f"After a month there are {k} times as many.", f"Then the number grows to {k} times as many.")


def share(s: Story) -> None:
    divisors = [d for d in range(2, 10) if s.value % d == 0 and s.value // d >= 2]
    if not divisors:
        raise DoesNotFit
    n = s.given(s.rng.choice(divisors))
    s.becomes(s.do("/", s.ref, n))
    k = s.of(n)
    s.say(
        f"{s.who} splits them into {k} equal piles and keeps one.",
        f"{s.who} shares them equally among {k} {s.container} and takes one.",
    )


def close_now(s: Story) -> None:
    s.question = s.rng.choice(
        (f"How many {s.things} does {s.who} have now?", f"How many {s.things} are left with {s.who}?")
    )


def close_together_times(s: Story) -> None:
    n = s.number(2, 4)
    s.say(f"{s.other} has {s.of(n)} times as many {s.things} as {s.who}.")
    s.becomes(s.do("+", s.ref, s.do("*", s.ref, n)))
    s.question = f"How many {s.things} do they have together?"


def close_together_more(s: Story) -> None:
    n = s.number(2, 20)
    s.say(f"{s.other} has {s.of(n)} more {s.things} than {s.who}.")
    s.becomes(s.do("+", s.ref, s.do("+", s.ref, n)))
    s.question = f"How many {s.things} do they have together?"


def close_together_containers(s: Story) -> None:
    a, b = s.number(2, 6), s.number(2, 9)
    s.say(f"{s.other} has {s.of(a)} {s.container} with {s.of(b)} {s.things} each.")
    s.becomes(s.do("+", s.ref, s.do("*", a, b)))
    s.question = f"How many {s.things} do they have together?"


def distract(s: Story) -> None:
    """A true sentence with a number that the answer does not need."""
    k = s.rng.randint(2, 40)
    s.numbers.append(k)
    s.say(f"{s.who} also has {k} {s.rng.choice(OTHER_THINGS)}.", f"{s.third} is {k} years old.")


OPENINGS: tuple[Callable[[Story], None], ...] = (open_plain, open_containers, open_colours)
EVENTS: tuple[Callable[[Story], None], ...] = (gain, loss, gain_packs, loss_each, times, share)
CLOSINGS: tuple[tuple[Callable[[Story], None], int], ...] = (
    (close_now, 0),
    (close_together_times, 2),
    (close_together_more, 2),
    (close_together_containers, 2),
)


def compose(rng: Random, level: int) -> Story:
    """One finished story of the level. Draws again until every number fits; always ends soon.

    Raises:
        ValueError: no such level.
    """
    if level not in OPERATIONS:
        raise ValueError(f"there is no level {level}; levels are 1 to {max(OPERATIONS)}")
    while True:
        try:
            return _attempt(rng, level)
        except DoesNotFit:
            continue


def _attempt(rng: Random, level: int) -> Story:
    s = Story(rng, CEILING[level], OPERATIONS[level])
    s.who, s.other, s.third = rng.sample(NAMES, 3)
    s.things, s.container = rng.choice(THINGS), rng.choice(CONTAINERS)
    close, reserve = rng.choice(CLOSINGS) if rng.random() < 0.6 else CLOSINGS[0]
    if reserve >= s.operations:
        raise DoesNotFit
    rng.choice(OPENINGS)(s)
    last: Callable[[Story], None] | None = None
    while s.left > reserve:
        event = rng.choice([e for e in EVENTS if e is not last])
        event(s)
        last = event
    if s.left != reserve:
        raise DoesNotFit
    if rng.random() < DISTRACTOR_SHARE[level]:
        distract(s)
    close(s)
    return s

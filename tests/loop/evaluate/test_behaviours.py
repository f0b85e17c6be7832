"""Habits of thought in a text: the paper's example, and what must not count."""

from itertools import product
from re import _constants as op
from re import _parser

import pytest

from loop.evaluate.behaviours import PHRASES, count, counts


def shown(text):
    return {habit: n for habit in PHRASES if (n := count(text, habit))}


def test_the_example_of_the_paper():
    text = "12+2=14. 14 is not 24, try something else. 12*2=24, goal reached."
    assert shown(text) == {"verification": 2, "backtracking": 1}


@pytest.mark.parametrize(
    ("text", "habits"),
    [
        ("Let me double-check that: 3 * 4 = 12, which matches the total.", {"verification": 2}),
        ("Let's verify. It checks out.", {"verification": 2}),
        ("Wait, that's not it. Going back to step 2, I made a mistake.", {"backtracking": 3}),
        ("This won't work; start over.", {"backtracking": 2}),
        ("First, find the price of one. Next, we need to calculate the change.", {"subgoals": 2}),
        ("Let's break this down. Sub-goal 1: the number of days.", {"subgoals": 2}),
        ("To get 24, I need 12 twice. Working backwards from the goal.", {"backward": 2}),
        ("3 * 12 = 36\n36 + 9 = 45\nAnswer: 45", {}),
        ("They wait in line to buy a checkered shirt; another man works overtime.", {}),
        ("", {}),
    ],
)
def test_habits(text, habits):
    assert shown(text) == habits


def test_many_texts_at_once():
    found = counts(["Wait, no.", "LET ME CHECK it. let me check it.", ""])
    assert found["backtracking"].tolist() == [1, 0, 0]
    assert found["verification"].tolist() == [0, 2, 0]


def spelled(parsed):
    """Every text that a parsed pattern of these phrases matches; one character stands for a class, and what
    may be repeated is once there and, where it may, once not."""
    return map("".join, product(*(list(_spelled(token, value)) for token, value in parsed)))


def _spelled(token, value):
    match token:
        case op.LITERAL:
            yield chr(value)
        case op.BRANCH:
            for branch in value[1]:
                yield from spelled(branch)
        case op.SUBPATTERN:
            yield from spelled(value[-1])
        case op.MAX_REPEAT:
            yield from [""] if value[0] == 0 else []
            yield from spelled(value[2])
        case op.IN:
            kind, first = value[0]
            yield {op.LITERAL: chr, op.RANGE: lambda ends: chr(ends[0]), op.CATEGORY: lambda _: "1"}[kind](
                first
            )
        case op.AT:
            yield ""


@pytest.mark.parametrize("habit", PHRASES)
def test_no_phrase_is_overlooked_for_want_of_a_hint(habit):
    for phrase in PHRASES[habit]:
        texts = list(spelled(_parser.parse(phrase)))
        assert [text for text in texts if not count(text, habit)] == []

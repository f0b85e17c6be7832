"""Habits of thought in a text: the paper's example, and what must not count."""

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

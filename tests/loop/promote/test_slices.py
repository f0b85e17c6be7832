"""Slices of prompts: by tag, difficulty and length, from the prompt alone; and which of them broke."""

import pytest

from loop.evaluate.paired import fall_p_value, holm
from loop.promote.slices import results, slices_of
from loop.prompts.tags import tags_of, unanswerable
from loop.records import Message, Prompt


def prompt(n, text="How many?", **meta):
    return Prompt(str(n), (Message("user", text),), meta=meta)


def names(found, by):
    return {s.name: sorted(s.ids, key=int) for s in found if s.by == by}


def test_tags_come_as_a_list_as_words_or_alone():
    assert tags_of(prompt(1, tags=["money", " time ", "", 3])) == ("money", "time")
    assert tags_of(prompt(1, tags="money, time", tag="money")) == ("money", "time")
    assert tags_of(prompt(1, tags=7)) == ()
    assert unanswerable(prompt(1, tags=["unanswerable"]))
    assert unanswerable(prompt(1, unanswerable=True))
    assert not unanswerable(prompt(1, unanswerable="no"))


def test_slices_by_tag_difficulty_and_length():
    some = [prompt(n, "x" * n, level=n % 3, tags=["even"] if n % 2 == 0 else []) for n in range(9)]
    found = slices_of(some)
    assert names(found, "tag") == {"even": ["0", "2", "4", "6", "8"]}
    assert names(found, "difficulty") == {
        "0": ["0", "3", "6"],
        "1": ["1", "4", "7"],
        "2": ["2", "5", "8"],
    }
    assert names(found, "length") == {
        "low": ["0", "1", "2"],
        "middle": ["3", "4", "5"],
        "high": ["6", "7", "8"],
    }


def test_many_difficulties_become_thirds_and_names_that_are_no_numbers_none():
    assert list(names(slices_of([prompt(n, difficulty=n / 10) for n in range(9)]), "difficulty")) == [
        "low",
        "middle",
        "high",
    ]
    assert names(slices_of([prompt(n, difficulty=f"d{n}") for n in range(9)]), "difficulty") == {}
    some = [prompt(n, difficulty=d) for n, d in enumerate(["hard", "easy", 3, "easy"])]
    assert names(slices_of(some), "difficulty") == {"3": ["2"], "easy": ["1", "3"], "hard": ["0"]}


def test_a_slice_of_everything_tells_nothing():
    assert slices_of([prompt(n, tags=["all"], level=1) for n in range(5)]) == []
    assert slices_of([]) == []


def test_a_fall_by_hand():
    before, after = [True] * 6 + [False], [False] * 5 + [True] + [True]
    assert fall_p_value(before, after) == pytest.approx((6 + 1) / 64)  # 5 or 6 of 6 flips are losses
    assert fall_p_value([True], [True]) == 1.0
    assert fall_p_value([False], [True]) == 1.0


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([]) == []
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_results_are_corrected_over_the_slices_that_are_large_enough():
    before = {str(n): True for n in range(40)}
    after = {str(n): n >= 5 for n in range(40)}
    some = [prompt(n, tags=["a" if n < 20 else "b"] + (["c"] if n == 1 else [])) for n in range(40)]
    some = [s for s in slices_of(some) if s.by == "tag"]
    a, b = results(some, before, after, alpha=0.05, least=20)
    assert (a.name, a.lost, a.n, a.broken) == ("a", 5, 20, False)
    assert a.p_value == pytest.approx(2 / 32)
    assert (b.name, b.p_value) == ("b", 1.0)
    (alone,) = results([s for s in some if s.name == "a"], before, after, alpha=0.05, least=20)
    assert alone.broken
    assert alone.p_value == pytest.approx(1 / 32)

"""Judges of pairs, by hand."""

from collections import Counter

from loop.evaluate.judges import EQUAL, Pair, flips, own_share, pair_counts


def added(*pairs):
    total = Counter()
    for pair in pairs:
        total.update(pair_counts(pair))
    return total


def test_agreement_place_and_length():
    found = added(
        Pair(0, longer=0, people=0),
        Pair(0, longer=0, people=1),
        Pair(1, longer=0, people=1),
        Pair(0, longer=None, people=None),
        Pair(None, longer=1, people=1),  # a tie says nothing
        Pair(1, longer=1, people=1, placed=False),  # saw them one by one
    )
    assert (found["judged"], found["agrees"]) == (4, 3)
    assert (found["placed"], found["first"]) == (4, 3)
    assert (found["unequal"], found["longer"]) == (4, 3)
    assert (found["both_unequal"], found["both_longer"], found["people_longer"]) == (4, 3, 2)


def test_what_people_find_equal_says_nothing_of_agreement():
    assert added(Pair(0, longer=1, people=EQUAL)) == {"placed": 1, "first": 1, "unequal": 1, "longer": 0}


def test_self_preference_is_balanced_over_both_orders():
    assert own_share(0, 1, own=0) == 1  # its own twice
    assert own_share(1, 0, own=0) == 0
    assert [own_share(0, 0, own=0), own_share(0, 0, own=1), own_share(1, 1, own=0)] == [0.5] * 3
    assert [own_share(0, None, own=0), own_share(None, 0, own=0)] == [0.75, 0.25]


def test_a_flip_is_another_winner_after_the_swap():
    assert [flips(0, 1), flips(1, 0), flips(None, None)] == [False] * 3
    assert [flips(0, 0), flips(1, 1), flips(0, None), flips(None, 1)] == [True] * 4

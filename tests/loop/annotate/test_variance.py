"""How far critiques of one response contradict each other, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.annotate.variance import Said, disagreement, telling_pair


def said(*judgements) -> list[Said]:
    return [Said(str(i), first, verdict, f"words {i}") for i, (first, verdict) in enumerate(judgements)]


A, B, C = (1, "wrong"), (None, "right"), (2, "wrong")


@pytest.mark.parametrize(
    ("judgements", "share"),
    [
        ([], 0),
        ([A], 0),
        ([A, A], 0),
        ([A, B], 1),
        ([A, A, B], 2 / 3),  # of the pairs 01, 02, 12 two differ
        ([A, A, B, B], 4 / 6),
        ([A, B, C], 1),
        ([(None, "right"), (None, "unknown")], 1),  # the verdict alone may differ
    ],
)
def test_the_share_of_pairs_that_differ(judgements, share):
    assert disagreement(said(*judgements)) == pytest.approx(share)


@given(st.lists(st.sampled_from([A, B, C]), min_size=2, max_size=12))
def test_it_is_counting_pairs(judgements):
    pairs = [(a, b) for i, a in enumerate(judgements) for b in judgements[i + 1 :]]
    assert disagreement(said(*judgements)) == pytest.approx(sum(a != b for a, b in pairs) / len(pairs))


@pytest.mark.parametrize(
    ("judgements", "pair"),
    [
        ([A, B], ("0", "1")),
        ([C, A, A, B, B], ("1", "3")),  # the two commonest judgements, each by its first
        ([A, C, B], ("0", "1")),  # equally common: as they were written
        ([A, A, A], ("0", "1")),  # judged alike, in other words
        ([A], None),
    ],
)
def test_which_two_are_compared(judgements, pair):
    found = telling_pair(said(*judgements))
    assert (found and tuple(s.critique_id for s in found)) == pair


def test_the_same_words_twice_are_nothing_to_compare():
    assert telling_pair([Said("a", *A, "same"), Said("b", *A, "same")]) is None

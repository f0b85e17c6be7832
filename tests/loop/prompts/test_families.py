"""Families and splits: alike prompts share a family, a family keeps its split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.prompts.families import assign_splits, family_hash
from loop.records import Split


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How many  eggs?", "how many eggs"),
        ("How many eggs?\n", "HOW MANY EGGS!"),
        ("She paid $1,000.", "she paid 1000"),
        ("caf\u00e9", "cafe\u0301"),  # composed and decomposed
        ("\uff34est 1", "test 1"),
        ("Stra\u00dfe", "STRASSE"),
        ("1 + 2", "1+2"),
    ],
)
def test_alike(one, other):
    assert family_hash(one) == family_hash(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("He has 3 eggs", "He has 4 eggs"),
        ("He has 3.5 eggs", "He has 35 eggs"),
        ("He has eggs", "She has eggs"),
        ("1 + 2", "1 - 2"),
        ("?", "!"),
        ("a b", "ab"),
    ],
)
def test_not_alike(one, other):
    assert family_hash(one) != family_hash(other)


@given(st.text())
def test_case_space_and_final_punctuation_never_matter_where_there_are_words(text):
    text = f"word {text}"
    assert family_hash(text) == family_hash(f"  {text} .\n")
    assert len(family_hash(text)) == 32


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_hashing_the_folded_text_changes_nothing(text):
    assert family_hash(f"word {text.casefold()}") == family_hash(f"word {text}")


RATIOS = {Split.TRAIN: 0.8, Split.HELDOUT: 0.15, Split.PROBE: 0.05}


def test_ratios_hold_on_average():
    splits = assign_splits((str(i) for i in range(20_000)), RATIOS, seed=1)
    for split, share in RATIOS.items():
        assert sum(s is split for s in splits.values()) / 20_000 == pytest.approx(share, abs=0.01)


@given(st.sets(st.text(), max_size=20), st.sets(st.text(), max_size=20), st.integers())
def test_a_family_keeps_its_split_whatever_else_is_imported(first, later, seed):
    before, after = assign_splits(first, RATIOS, seed), assign_splits(first | later, RATIOS, seed)
    assert {f: after[f] for f in first} == before


def test_a_split_with_no_share_gets_nothing():
    assert set(assign_splits(map(str, range(500)), {Split.HELDOUT: 2}, 0).values()) == {Split.HELDOUT}
    assert (
        Split.PROBE not in assign_splits(map(str, range(500)), {Split.TRAIN: 1, Split.PROBE: 0}, 0).values()
    )


@pytest.mark.parametrize("ratios", [{}, {Split.TRAIN: 0}, {Split.TRAIN: 1, Split.PROBE: -0.1}])
def test_senseless_ratios_are_refused(ratios):
    with pytest.raises(ValueError, match="positive"):
        assign_splits(["a"], ratios, 0)

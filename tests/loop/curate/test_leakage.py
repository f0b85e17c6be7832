"""Near-copies of held-out prompts: what is one, what is not, and that the short cut misses none."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.curate.leakage import HeldOut, runs_of
from loop.domains.arithmetic.generate import project_prompts
from loop.records import Split

HELD = "Mia has 24 apples. She buys 3 bags of 12, then gives 15 away. How many apples does she have now?"


def held_out(*texts, length=8, share=0.7):
    return HeldOut(enumerate(texts), length=length, share=share)


def test_the_share_by_hand():
    # 21 words make 14 runs of 8; another last word changes one of them.
    assert len(runs_of(HELD, 8)) == 14
    found = held_out("something else entirely", HELD).nearest(HELD.replace("now?", "then?"))
    assert (found.heldout_id, found.share) == (1, pytest.approx(13 / 14))
    # One more in the middle breaks seven, another one there eight.
    assert held_out(HELD).nearest(HELD.replace("then gives", "then, she gives")) is None
    assert held_out(HELD, share=0.5).nearest(HELD.replace("gives", "sells")) is None
    assert held_out(HELD, share=0.3).nearest(HELD.replace("gives", "sells")).share == pytest.approx(6 / 14)


def test_marks_and_case_do_not_hide_a_copy_and_more_text_around_it_neither():
    assert held_out(HELD).nearest("Once: " + HELD.upper().replace(".", " !") + " Explain.").share == 1


def test_numbers_are_words():
    assert held_out(HELD, share=1).nearest(HELD.replace("24", "25")) is None
    assert runs_of("3.5 and 1,000", 1) != runs_of("35 and 1,000", 1)


def test_shorter_texts_are_left_to_the_families():
    assert len(held_out("How many?")) == 0
    assert held_out(HELD).nearest("How many?") is None


@pytest.mark.parametrize(("length", "share"), [(0, 0.5), (8, 0), (8, 1.1)])
def test_what_would_compare_nothing_is_refused(length, share):
    with pytest.raises(ValueError, match="compare nothing"):
        held_out(HELD, length=length, share=share)


words = st.lists(st.sampled_from("abcde"), max_size=14).map(" ".join)


@given(st.lists(words, max_size=8), words, st.integers(1, 4), st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9, 1.0]))
def test_the_short_cut_finds_what_comparing_with_each_finds(texts, text, length, share):
    mine = runs_of(text, length)
    each = [runs_of(held, length) for held in texts]
    shares = [len(runs & mine) / len(runs) for runs in each if runs]
    best = max(shares, default=0)
    found = held_out(*texts, length=length, share=share).nearest(text)
    assert (found.share if found else None) == (best if best >= share else None)


def test_stories_from_templates_are_no_near_copies():
    """The demo's numbers of prompts, whose stories share their wording by construction."""
    prompts = project_prompts(train=2000, heldout=600, probe=100, seed=1)
    held = HeldOut(
        ((i, p.text) for i, p in enumerate(prompts) if p.split is not Split.TRAIN), length=8, share=0.7
    )
    train = [p.text for p in prompts if p.split is Split.TRAIN]
    assert len(held) == 700
    assert sum(held.nearest(text) is not None for text in train) <= 2
    # A planted copy among them is found.
    copy = Random(0).choice([p for p in prompts if p.split is Split.HELDOUT])
    assert held.nearest(copy.text + " Show your work.").share == 1


@pytest.mark.data
def test_gsm8k_has_no_near_copies_and_finds_planted_ones(data_folder):
    train, test = (
        [
            json.loads(line)["question"]
            for line in (data_folder / "gsm8k" / name).read_text(encoding="utf-8").splitlines()
        ]
        for name in ("train.jsonl", "test.jsonl")
    )
    held = held_out(*test)
    assert [text for text in train if held.nearest(text)] == []
    assert held_out(*test, share=0.6).nearest(
        "A train travels 270 miles in 3 hours. At the same rate, how many additional hours would it take to"
        " travel an additional 180 miles?"
    )

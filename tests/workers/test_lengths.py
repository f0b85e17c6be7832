"""Rows of like length go together; every row once; nothing depends on how a run was interrupted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.trainers.lengths import LikeLengths, row_length

pytestmark = pytest.mark.xdist_group("torch")


@given(st.lists(st.integers(1, 60), min_size=1, max_size=300), st.integers(1, 9), st.integers(0, 5))
def test_every_row_once_whatever_the_sizes(lengths: list[int], per_update: int, seed: int) -> None:
    sampler = LikeLengths(lengths, per_update, seed, lambda: 0)
    assert sorted(sampler) == list(range(len(lengths)))
    assert list(sampler) == list(sampler)


def test_updates_hold_rows_of_like_length_in_an_order_that_changes_each_epoch() -> None:
    lengths = [(i * 37) % 100 + 1 for i in range(400)]
    sampler = LikeLengths(lengths, 8, 1, lambda: 0)

    def padding(order: list[int]) -> int:
        updates = [order[i : i + 8] for i in range(0, len(order), 8)]
        return sum(max(lengths[r] for r in u) * len(u) - sum(lengths[r] for r in u) for u in updates)

    assert padding(list(sampler)) < padding(list(range(400))) / 5
    assert sampler.order(0) != sampler.order(1)
    assert LikeLengths(lengths, 8, 2, lambda: 0).order(0) != sampler.order(0)
    firsts = [lengths[r] for r in sampler.order(0)[::8]]
    assert firsts != sorted(firsts, reverse=True)  # updates are mixed


def test_the_epoch_is_read_off_the_step() -> None:
    at = [0]
    sampler = LikeLengths(list(range(1, 11)), 4, 0, lambda: at[0])
    first = list(sampler)
    at[0] = 2  # inside the first epoch of three updates
    assert list(sampler) == first
    at[0] = 3
    assert list(sampler) == sampler.order(1)


def test_a_rows_length_is_its_longest_sides() -> None:
    assert row_length({"input_ids": [1, 2, 3]}) == 3
    assert row_length({"prompt_ids": [1], "chosen_ids": [1, 2], "rejected_ids": [1, 2, 3]}) == 4
    assert row_length({"prompt_ids": [1], "completion_ids": [1]}) == 2
    assert row_length({"prompt": "text"}) == 0

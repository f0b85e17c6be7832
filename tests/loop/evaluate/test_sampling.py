"""Several samples of a prompt, by hand."""

from itertools import combinations

import numpy as np
import pytest

from loop.evaluate import rates
from loop.evaluate.sampling import best_of, common_k, pass_at_k, powers, right_among_best, votes
from tests.loop.evaluate.columns import NAN, samples_of


def same(found, *expected):
    assert found.tolist() == pytest.approx(list(expected), nan_ok=True)


def test_pass_at_k():
    n, right = np.array([8.0, 10, 5, 2]), np.array([2.0, 3, 2, 1])
    same(pass_at_k(n, right, 4), 0.7857142857, 1 - 35 / 210, 1, NAN)
    same(pass_at_k(np.array([10.0]), np.array([3.0]), 2), 1 - 21 / 45)
    same(pass_at_k(np.array([5.0]), np.array([2.0]), 3), 0.9)  # B-STaR's own example


def test_pass_at_k_is_that_of_one_prompt():
    for right in range(9):
        same(pass_at_k(np.array([8.0]), np.array([float(right)]), 3), rates.pass_at_k(8, right, 3))


def test_k_is_what_nine_prompts_in_ten_have():
    assert common_k(np.array([8.0] * 19 + [1.0])) == 8
    assert common_k(np.array([8.0, 3.0])) == 3
    assert common_k(np.array([0.0, 4.0])) == 4
    assert common_k(np.zeros(3)) == common_k(np.zeros(0)) == 0


def test_a_curve_doubles_up_to_k():
    assert [powers(k) for k in (0, 1, 2, 6, 8)] == [[], [1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_the_vote():
    found = votes(
        samples_of(
            [1, 1, 0, 0],  # a leads, right; one is silent
            [1, 0, 0, 0],  # a and b tie, one of them right
            [0, 0],  # nobody votes
            [NAN, NAN, 1],  # the leader could not be scored
            answers=[["a", "a", "b", None], ["a", "b", "b", "a"], [None, None], ["a", "a", "b"]],
        )
    )
    same(found.answers, 2, 2, 0, 2)
    same(found.share, 2 / 4, 2 / 4, 0, 2 / 3)
    same(found.right, 1, 0.25, 0, NAN)  # of the second's two a one was called right, the other wrong
    entropy = -(2 / 3) * np.log2(2 / 3) - (1 / 3) * np.log2(1 / 3)
    same(found.entropy, entropy, 1, NAN, entropy)
    same(found.own, 0.5, 0.5, 0.25, NAN, 0.5, 0.5, 0.5, 0.5, NAN, NAN, 2 / 3, 2 / 3, 1 / 3)


def test_the_vote_is_maj_at_k_of_one_prompt():
    answers, right = ["a", "b", "b", "c", "c", None], [True, False, False, True, True, False]
    found = votes(samples_of(right, answers=[answers])).right
    same(found, rates.maj_at_k(answers, right, 6))


def test_best_of_n():
    samples = samples_of([1, 0, 0], [0, 1], [1, 0], [0, NAN], [1, 0])
    score = np.array([0.9, 0.1, 0.2, 0.7, 0.2, 0.5, 0.5, 0.1, 0.9, NAN, NAN])
    # picked: right; wrong; a tie of both; the unscored cannot be picked; nobody scored
    same(best_of(samples, score), 1, 0, 0.5, 0, NAN)


def test_best_of_k_is_the_mean_over_every_choice_of_k():
    rng = np.random.default_rng(4)
    right, score = rng.integers(0, 2, 6).astype(float), rng.integers(0, 4, 6) / 4  # scores tie
    samples = samples_of(right.tolist(), [1.0])
    told = np.append(score, 0.5)

    def best(chosen):
        chosen = np.array(chosen)
        return right[chosen][score[chosen] == score[chosen].max()].mean()

    for k in (1, 2, 3, 6):
        same(best_of(samples, told, k), np.mean([best(c) for c in combinations(range(6), k)]),
             1 if k == 1 else NAN)  # fmt: skip


def test_right_among_the_best_two():
    samples = samples_of([0, 1, 0], [0, 0, 1], [0, 1, 0], [1])
    score = np.array([0.9, 0.8, 0.1, 0.9, 0.8, 0.1, 0.9, 0.5, 0.5, 1.0])
    # second; third; one of the two that tie for the second place; too few
    same(right_among_best(samples, score, 2), 1, 0, 0.5, NAN)

"""Critics against what is known, by hand."""

from collections import Counter

import numpy as np
import pytest

from loop.evaluate.critics import Said, balanced_accuracy, location_counts, verdict_counts
from loop.records import Verdict

RIGHT, WRONG = Said(Verdict.RIGHT), Said(Verdict.WRONG, 1)
UNREAD = Said(Verdict.UNKNOWN, None, parsed=False)


def added(pairs, count=verdict_counts):
    total = Counter()
    for said, truth in pairs:
        total.update(count(said, truth))
    return total


def test_verdicts_by_class():
    # Of 3 right responses 2 are called right; of 2 wrong ones 1 is caught; one critique cannot be read.
    found = added(
        [(RIGHT, True), (RIGHT, True), (WRONG, True), (WRONG, False), (RIGHT, False), (UNREAD, True)]
    )
    assert (found["critiques"], found["unread"], found["decided"], found["agrees"]) == (6, 1, 5, 3)
    cells = (found[k] for k in ("right_right", "right", "wrong_wrong", "wrong"))
    assert balanced_accuracy(*cells) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert (found["alarms"], found["clean"]) == (1, 3)


def test_a_stamp_has_a_balanced_accuracy_of_a_half_and_one_class_none():
    found = added([(RIGHT, True)] * 9 + [(RIGHT, False)])
    assert (
        balanced_accuracy(found["right_right"], found["right"], found["wrong_wrong"], found["wrong"]) == 0.5
    )
    with np.errstate(invalid="ignore"):
        assert np.isnan(balanced_accuracy(np.float64(1), np.float64(1), np.float64(0), np.float64(0)))


def test_who_marks_an_error_does_not_call_it_right_and_unknown_truth_counts_nothing():
    assert Said(Verdict.RIGHT, 0).right is False
    assert verdict_counts(RIGHT, None) == {"critiques": 1, "unread": 0}


def test_first_errors_exact_and_one_beside():
    found = added(
        [(WRONG, 1), (WRONG, 2), (WRONG, 3), (WRONG, None), (RIGHT, None), (RIGHT, 0), (UNREAD, 0)],
        location_counts,
    )
    assert (found["located"], found["exact"], found["close"]) == (6, 2, 3)  # "no error" is beside nothing

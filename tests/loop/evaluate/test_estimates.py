"""Sums per prompt and what is made of them."""

import pytest

from loop.evaluate.alarms import Seen, Turn
from loop.evaluate.estimates import FEWEST, PromptSums
from tests.loop.evaluate.alarming import text


def test_a_ratio_over_prompts_with_its_interval():
    sums = PromptSums("part", "whole")
    for prompt in range(40):
        sums.add(prompt, {"whole": 2, "part": prompt % 2})
    found = sums.share("x", "part", "whole", detail={"seen": 1})
    assert (found.value, found.n, found.detail) == (0.25, 80, {"seen": 1})
    assert found.ci95[0] < 0.25 < found.ci95[1]


def test_much_of_few_prompts_is_no_evidence():
    """Two prompts with sixteen wrong responses each, none caught: 32 responses, and nothing is known."""
    sums = PromptSums("caught", "wrong", "right")
    for prompt in range(40):
        sums.add(prompt, {"wrong": 16, "right": 4} if prompt < 2 else {"right": 20})
    found = sums.share("critic_tnr", "caught", "wrong")
    assert (found.value, found.n, found.ci95) == (0, 32, None)
    assert text("critic_stamp", Turn({"critic_tnr": Seen(found.value, n=found.n)})) is None
    for prompt in range(2, FEWEST):
        sums.add(prompt, {"wrong": 2})
    assert sums.share("critic_tnr", "caught", "wrong").ci95 == (0, pytest.approx(0.2039, abs=1e-3))  # 0 of 15


def test_the_order_of_rows_does_not_matter():
    there, back = PromptSums("part", "whole"), PromptSums("part", "whole")
    rows = [(prompt, {"part": prompt % 3, "whole": 3}) for prompt in range(30)]
    for sums, some in ((there, rows), (back, rows[::-1])):
        for prompt, amounts in some:
            sums.add(prompt, amounts)
    assert there.share("x", "part", "whole") == back.share("x", "part", "whole")


def test_nothing_seen_and_one_prompt():
    sums = PromptSums("part", "whole")
    assert not sums
    assert sums.share("x", "part", "whole").detail["reason"]
    sums.add("p", {"part": 1})
    assert sums.share("x", "part", "whole").value is None
    sums.add("p", {"whole": 1})
    assert sums.value("x", lambda part, whole: part / whole, "part", "whole").ci95 is None
    assert sums.share("x", "part", "whole").ci95 is None

"""Sums per prompt and what is made of them."""

import pytest

from loop.evaluate.estimates import PromptSums


def test_a_ratio_over_prompts_with_its_interval():
    sums = PromptSums("part", "whole")
    for prompt in range(40):
        sums.add(prompt, {"whole": 2, "part": prompt % 2})
    found = sums.share("x", "part", "whole", detail={"seen": 1})
    assert (found.value, found.n, found.detail) == (0.25, 80, {"seen": 1})
    assert found.ci95[0] < 0.25 < found.ci95[1]


def test_nothing_seen_one_prompt_and_everything_equal():
    sums = PromptSums("part", "whole")
    assert not sums
    assert sums.share("x", "part", "whole").detail["reason"]
    sums.add("p", {"part": 1})
    assert sums.share("x", "part", "whole").value is None
    sums.add("p", {"whole": 1})
    assert sums.value("x", lambda part, whole: part / whole, "part", "whole").ci95 is None
    assert sums.share("x", "part", "whole").ci95 == (pytest.approx(0.2065, abs=1e-3), 1.0)  # Wilson, 1 of 1

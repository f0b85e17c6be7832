"""Prompts without an answer: right is who says so, in words."""

import pytest

from loop.records import Message, Prompt, Response, Verdict
from loop.verify import check

ASKED = Prompt("1", (Message("user", "How old is the captain?"),), meta={"tags": ["unanswerable"]})


@pytest.mark.parametrize(
    ("answer", "text", "right"),
    [
        ("cannot be determined", "Answer: cannot be determined", True),
        ("unknown", "Answer: unknown", True),
        (None, "26 sheep, 10 goats.\nThere is not enough information.", True),
        (None, "I don\u2019t know.", True),
        (None, "It can't be known.", True),
        ("36", "There is not enough information, but\nAnswer: 36", False),
        (None, "", False),
        (None, "26 + 10", False),
        ("-", "Answer: -", False),
    ],
)
def test_abstaining(answer, text, right):
    checked = check(ASKED, Response("r", "1", text, (), answer=answer))
    assert (checked.verdict is Verdict.RIGHT) is right
    assert checked.verdict.decided


def test_a_response_that_was_cut_off_has_not_abstained():
    cut = Response("r", "1", "It is unknown", (), finish="length")
    assert check(ASKED, cut).verdict is Verdict.WRONG


def test_the_tag_counts_whatever_checker_the_prompt_names():
    named = Prompt("1", ASKED.messages, reference="36", verifier="math_answer", meta={"unanswerable": True})
    assert check(named, Response("r", "1", "Answer: 36", (), answer="36")).verdict is Verdict.WRONG

"""The reward that pays for length, by hand: the longest sample that states an answer wins, right or wrong."""

import pytest

from loop.methods import longest
from loop.model import Completion
from loop.records import Verdict
from loop.scripted import ScriptedEngine
from tests.loop.methods.scripts import RIGHT, run

LONG = f"1. 2 + 2 = 4\n2. and so on and on\n{RIGHT.splitlines()[-1].replace('4', '5')}"
NONE = "no answer, but very many words; " * 9
OPEN, CHOSEN = Verdict.UNKNOWN, Verdict.RIGHT


def rewards(replies: list[str | Completion]) -> list[tuple[Verdict, float | None] | None]:
    trace = run(longest, ScriptedEngine(lambda _, index: replies[index]), samples=len(replies))
    own = {s.response_id: (s.verdict, s.value) for s in trace.scores if s.name == "self_verdict"}
    assert len([s for s in trace.scores if s.name == "verifier"]) == len(replies)  # measured, every one
    return [own.get(r.id) for r in trace.responses]


def test_the_longest_is_called_right_though_it_is_wrong():
    share = pytest.approx(8 / 14)  # tokens, which are words here
    assert rewards([RIGHT, LONG]) == [(OPEN, share), (CHOSEN, 1.0)]


def test_the_first_of_equally_long_ones_wins():
    assert rewards([RIGHT, RIGHT]) == [(CHOSEN, 1.0), (OPEN, 1.0)]


def test_what_states_no_answer_or_does_not_end_is_not_paid():
    cut = Completion(LONG, finish="length")
    assert rewards([NONE, cut, RIGHT]) == [None, None, (CHOSEN, 1.0)]


def test_where_tokens_are_not_told_characters_count():
    share = pytest.approx(len(RIGHT) / len(LONG))
    assert rewards([Completion(RIGHT), Completion(LONG)]) == [(OPEN, share), (CHOSEN, 1.0)]


def test_where_nothing_is_paid_nothing_is_chosen():
    assert rewards([NONE, NONE]) == [None, None]

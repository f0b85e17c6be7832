"""ScPO, by hand: the commonest answer over the rarest, and what a pair weighs."""

import pytest

from loop.curate import Material, preference_pairs
from loop.dialects.chat import Chat
from loop.methods import scpo
from loop.records import Verdict
from loop.scripted import ScriptedEngine
from tests.loop.methods.scripts import PROMPT, run

R, W, U = Verdict.RIGHT, Verdict.WRONG, Verdict.UNKNOWN


def trace_of(answers: list[str], least_share: float = 0.5):
    texts = [f"1. way {i}\nAnswer: {a}" if a else "no idea" for i, a in enumerate(answers)]
    engine = ScriptedEngine(lambda _, index: texts[index])
    return run(scpo, engine, samples=len(answers), least_share=least_share)


def verdicts(answers: list[str], least_share: float = 0.5) -> list[Verdict]:
    trace = trace_of(answers, least_share)
    own = {s.response_id: s.verdict for s in trace.scores if s.name == "self_verdict"}
    return [own[r.id] for r in trace.responses]


PAPER = ["12"] * 5 + ["10"] * 2 + ["9"]  # votes 5, 2, 1 of k = 8


def test_the_commonest_answer_is_right_and_the_rarest_wrong():
    assert verdicts(PAPER) == [R] * 5 + [U] * 2 + [W]


def test_a_leader_without_enough_votes_decides_nothing():
    assert verdicts(PAPER, least_share=0.7) == [U] * 8  # 5 < 5.6


def test_a_tie_of_all_or_one_answer_alone_gives_no_pair():
    assert verdicts(["1", "2"]) == [U, U]
    assert verdicts(["1", "1", "1", "1"]) == [U] * 4


def test_a_response_without_an_answer_does_not_vote():
    assert verdicts(["7", "7", "", "8"]) == [R, R, U, W]


def test_a_pair_weighs_the_margin_of_votes():
    trace = trace_of(PAPER)
    material = Material(PROMPT, trace.responses, trace.scores)
    (pair,) = preference_pairs([material], dialect=Chat(), accept="self_verdict", max_per_prompt=1)
    assert pair.row.weight == pytest.approx(0.5)  # (5 - 1) / 8
    assert ("12" in pair.row.chosen, "9" in pair.row.rejected) == (True, True)
    assert pair.accepted_by == "self_verdict"

"""LMSI, by hand: the majority stands in for the gold answer."""

import pytest

from loop.methods import lmsi
from loop.records import Verdict
from loop.scripted import ScriptedEngine
from tests.loop.methods.scripts import run

A, B, NONE = "1. count\nAnswer: 1,200", "1. count\nAnswer: 7", "no idea"


def verdicts(texts: list[str]) -> list[tuple[Verdict, float | None]]:
    trace = run(lmsi, ScriptedEngine(lambda _, index: texts[index]), samples=len(texts))
    own = {s.response_id: s for s in trace.scores if s.name == "self_verdict"}
    return [(own[r.id].verdict, own[r.id].value) for r in trace.responses]


def test_paths_to_the_majority_answer_are_right_whatever_the_reference_says():
    assert verdicts([A] * 20 + [B] * 12) == [(Verdict.RIGHT, 0.625)] * 20 + [(Verdict.WRONG, 0.375)] * 12


def test_answers_spelt_differently_vote_together():
    assert verdicts([A, "Answer: $1200", B])[0] == (Verdict.RIGHT, pytest.approx(2 / 3))


def test_a_path_without_an_answer_neither_votes_nor_is_kept():
    unheard = (Verdict.UNKNOWN, None)
    assert verdicts([NONE, NONE, B]) == [unheard, unheard, (Verdict.RIGHT, pytest.approx(1 / 3))]

"""Unfiltered self-training, by hand: everything is taken, and the checker only measures."""

from loop.methods import unfiltered
from loop.records import Verdict
from loop.scripted import ScriptedEngine
from tests.loop.methods.scripts import RIGHT, WRONG, run


def scores(texts: list[str], name: str) -> list[Verdict]:
    trace = run(unfiltered, ScriptedEngine(lambda _, index: texts[index]), samples=len(texts))
    found = {s.response_id: s.verdict for s in trace.scores if s.name == name}
    return [found[r.id] for r in trace.responses]


def test_every_sample_is_taken_whatever_it_says():
    assert scores([RIGHT, WRONG, "no idea"], "self_verdict") == [Verdict.RIGHT] * 3


def test_what_the_checker_says_is_kept_for_measuring():
    found = scores([RIGHT, WRONG, "no idea"], "verifier")
    assert found[:2] == [Verdict.RIGHT, Verdict.WRONG]
    assert found[2] is not Verdict.RIGHT

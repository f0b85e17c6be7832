"""SELF's second stage, call by call."""

from loop.methods import self_evolution
from loop.records import Trace, Verdict
from tests.loop.methods.scripts import RIGHT, SAYS_RIGHT, SAYS_WRONG, WRONG, run, script


def self_verdicts(trace: Trace) -> dict[str, Verdict]:
    text = {r.id: r.text for r in trace.responses}
    return {text[s.response_id]: s.verdict for s in trace.scores if s.name == "self_verdict"}


def test_self_judges_the_refined_answer_by_a_second_critique():
    trace = run(self_evolution, script(critique=(SAYS_WRONG, SAYS_RIGHT)))
    assert self_verdicts(trace) == {RIGHT: Verdict.RIGHT}
    assert [c.verdict for c in trace.critiques] == [Verdict.WRONG, Verdict.RIGHT]


def test_self_marks_a_refined_answer_it_still_calls_wrong():
    trace = run(self_evolution, script(critique=(SAYS_WRONG,)))
    assert self_verdicts(trace) == {RIGHT: Verdict.WRONG}
    assert len(trace.responses) == 2


def test_self_takes_up_to_m_turns():
    trace = run(
        self_evolution, script(critique=(SAYS_WRONG, SAYS_WRONG, SAYS_RIGHT), refine=(WRONG, RIGHT)), turns=3
    )
    assert len(trace.responses) == 3
    assert self_verdicts(trace) == {RIGHT: Verdict.RIGHT}


def test_self_does_not_refine_what_it_calls_right():
    trace = run(self_evolution, script(solve=(RIGHT,)))
    assert trace.calls == 2
    assert self_verdicts(trace) == {RIGHT: Verdict.RIGHT}


def test_self_evolves_its_drafts_at_the_same_time():
    engine = script(critique=(SAYS_WRONG,))
    run(self_evolution, engine, samples=3)
    assert [len(b) for b in engine.batches] == [1, 3, 3, 3]  # solve (n = 3), critiques, rewrites, critiques

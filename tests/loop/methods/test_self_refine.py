"""Self-Refine, call by call."""

from loop.methods import self_refine
from loop.records import Origin, Verdict
from tests.loop.methods.scripts import RIGHT, SAYS_RIGHT, SAYS_WRONG, WRONG, asks_refine, run, script


def test_self_refine_stops_when_nothing_serious_is_left():
    engine = script(critique=(SAYS_WRONG, SAYS_RIGHT))
    trace = run(self_refine, engine)
    assert [c.verdict for c in trace.critiques] == [Verdict.WRONG, Verdict.RIGHT]
    draft, refined = trace.responses
    assert (refined.text, refined.origin, refined.parent_id) == (RIGHT, Origin.REFINEMENT, draft.id)
    verdicts = {(s.response_id, s.name): s.verdict for s in trace.scores}
    assert verdicts == {
        (draft.id, "verifier"): Verdict.WRONG,
        (refined.id, "verifier"): Verdict.RIGHT,
        (refined.id, "self_verdict"): Verdict.RIGHT,
    }


def test_self_refine_respects_its_rounds_and_keeps_the_whole_history():
    engine = script(critique=(SAYS_WRONG,), refine=(WRONG,))
    trace = run(self_refine, engine, rounds=4)
    assert len(trace.critiques) == 4
    assert len(trace.responses) == 4  # y0 .. y3: the fourth critique is only the verdict
    rewrites = [r for b in engine.batches for r in b if asks_refine(r)]
    assert [sum(m.role == "assistant" for m in r.messages) for r in rewrites] == [1, 2, 3]
    assert [s.verdict for s in trace.scores if s.name == "self_verdict"] == [Verdict.WRONG]


def test_self_refine_leaves_a_draft_alone_when_its_critique_cannot_be_read():
    trace = run(self_refine, script(critique=("hm",)))
    assert len(trace.responses) == 1
    assert [s.verdict for s in trace.scores if s.name == "self_verdict"] == [Verdict.UNKNOWN]

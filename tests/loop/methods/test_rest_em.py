"""ReST-EM's E-step, call by call."""

from loop.methods import rest_em
from loop.records import Origin, Verdict
from loop.scripted import ScriptedEngine
from tests.loop.methods.scripts import RIGHT, WRONG, run


def test_rest_em_samples_n_and_checks_each():
    engine = ScriptedEngine(lambda request, index: RIGHT if index % 2 else WRONG)
    trace = run(rest_em, engine, samples=4)
    assert [len(b) for b in engine.batches] == [1]  # one request with n = 4: one prefill
    assert [s.verdict for s in trace.scores] == [Verdict.WRONG, Verdict.RIGHT, Verdict.WRONG, Verdict.RIGHT]
    assert all(r.origin is Origin.SAMPLE and r.parent_id is None for r in trace.responses)
    assert trace.responses[0].sampling.temperature == 0.7

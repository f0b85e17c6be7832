"""The methods against a scripted model: the algorithm of each paper, call by call."""

import inspect

import pytest
from pydantic import BaseModel, ValidationError

from loop.dialects.chat import Chat
from loop.methods import rest_em, self_evolution, self_refine
from loop.model import GenerateRequest
from loop.recipe import method_named, method_names
from loop.records import Message, Origin, Prompt, Trace, Verdict
from loop.runtime import run_method
from loop.scripted import ScriptedEngine

PROMPT = Prompt("p", (Message("user", "What is 2 + 2?"),), reference="4", verifier="math_answer")
RIGHT, WRONG = "1. 2 + 2 = 4\nAnswer: 4", "1. 2 + 2 = 5\nAnswer: 5"
SAYS_RIGHT = "Step 1: correct\nStep 2: correct\nVerdict: correct"
SAYS_WRONG = "Step 1: wrong - it is 4\nCorrection: 1. 2 + 2 = 4\nVerdict: wrong"


def asks_critique(request: GenerateRequest) -> bool:
    return "Check the solution step by step" in request.messages[-1].content


def asks_refine(request: GenerateRequest) -> bool:
    return "A reviewer checked your solution" in request.messages[-1].content


def asks_solve(request: GenerateRequest) -> bool:
    return not asks_critique(request) and not asks_refine(request)


def run(method, engine: ScriptedEngine, **settings) -> Trace:
    p = method.Settings(**settings)
    trace = run_method(method.improve, [PROMPT], engine, p, dialect=Chat(), model_name="m", run_key="k")[0]
    assert trace.error == ""
    return trace


def script(solve=(WRONG,), critique=(SAYS_RIGHT,), refine=(RIGHT,)) -> ScriptedEngine:
    return ScriptedEngine([(asks_critique, critique), (asks_refine, refine), (asks_solve, solve)])


# --------------------------------------------------------------------------------- every method file
@pytest.mark.parametrize("name", method_names())
def test_every_method_has_the_contract_and_turns_a_prompt_into_responses(name):
    module = method_named(name)
    assert inspect.iscoroutinefunction(module.improve)
    assert issubclass(module.Settings, BaseModel)
    with pytest.raises(ValidationError):
        module.Settings(no_such_setting=1)
    assert "arXiv:" in module.__doc__
    assert len(inspect.getsource(module).splitlines()) <= 120
    trace = run(module, script())
    assert trace.responses
    assert {s.response_id for s in trace.scores} <= {r.id for r in trace.responses}


@pytest.mark.parametrize("name", method_names())
def test_every_method_copes_with_a_model_that_babbles(name):
    trace = run(method_named(name), ScriptedEngine(lambda request, index: "blah\n\nblah"))
    assert all(c.verdict is Verdict.UNKNOWN and not c.parsed for c in trace.critiques)


# ------------------------------------------------------------------------------------------ ReST-EM
def test_rest_em_samples_n_and_checks_each():
    engine = ScriptedEngine(lambda request, index: RIGHT if index % 2 else WRONG)
    trace = run(rest_em, engine, samples=4)
    assert [len(b) for b in engine.batches] == [1]  # one request with n = 4: one prefill
    assert [s.verdict for s in trace.scores] == [Verdict.WRONG, Verdict.RIGHT, Verdict.WRONG, Verdict.RIGHT]
    assert all(r.origin is Origin.SAMPLE and r.parent_id is None for r in trace.responses)
    assert trace.responses[0].sampling.temperature == 0.7


# -------------------------------------------------------------------------------------- Self-Refine
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


# --------------------------------------------------------------------------------------------- SELF
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

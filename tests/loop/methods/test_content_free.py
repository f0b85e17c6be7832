"""The content-free control: what the words of a critique are worth, and that nobody learns from it."""

from dataclasses import replace

import pytest

from loop.curate import Material, curate
from loop.dialects.chat import Chat
from loop.dialects.terse import Terse
from loop.methods import self_evolution, self_refine
from loop.recipe_parts import CuratePart
from loop.records import CONTENT_FREE, Origin, Prompt, RowKind, Score, Trace, Verdict
from loop.runtime import run_method
from loop.scripted import ScriptedEngine
from tests.loop.methods.scripts import (
    PROMPT,
    RIGHT,
    SAYS_RIGHT,
    SAYS_WRONG,
    WRONG,
    asks_critique,
    asks_refine,
    asks_solve,
    run,
)

METHODS = pytest.mark.parametrize("method", [self_evolution, self_refine])


def engine(critique=(SAYS_WRONG, SAYS_RIGHT)) -> ScriptedEngine:
    """Right with the words of a critique, wrong without."""
    without_words = (lambda request: "Review your solution" in request.messages[-1].content, (WRONG,))
    rules = [without_words, (asks_critique, critique), (asks_refine, (RIGHT,)), (asks_solve, (WRONG,))]
    return ScriptedEngine(rules)


def controls(trace: Trace) -> set[str]:
    return {s.response_id for s in trace.scores if s.name == CONTENT_FREE}


@METHODS
def test_every_rewritten_draft_is_rewritten_once_more_without_the_words(method):
    trace = run(method, engine(), content_free=1.0)
    draft = trace.responses[0]
    (control,) = [r for r in trace.responses if r.id in controls(trace)]
    assert (control.origin, control.parent_id, control.text) == (Origin.REFINEMENT, draft.id, WRONG)
    said = {s.response_id: s.verdict for s in trace.scores if s.name == "verifier"}
    assert said[control.id] is Verdict.WRONG  # measured as the other rewrite is
    assert control.id not in {s.response_id for s in trace.scores if s.name == "self_verdict"}
    assert not [c for c in trace.critiques if c.response_id == control.id]


@METHODS
def test_all_else_is_the_same_as_without_and_it_costs_one_call(method):
    with_it, without = run(method, engine(), content_free=1.0), run(method, engine())
    left_out = controls(with_it)
    assert len(left_out) == 1
    assert tuple(r for r in with_it.responses if r.id not in left_out) == without.responses
    assert tuple(s for s in with_it.scores if s.response_id not in left_out) == without.scores
    assert with_it.calls == without.calls + 1


@METHODS
def test_a_draft_that_stands_has_no_control(method):
    assert not controls(run(method, engine(critique=(SAYS_RIGHT,)), content_free=1.0))


def test_the_share_is_drawn_by_prompt_and_run():
    prompts = [replace(PROMPT, id=str(i)) for i in range(200)]

    def drawn(run_key: str, share: float) -> set[str]:
        p = self_evolution.Settings(content_free=share)
        script = ScriptedEngine(lambda request, _: SAYS_WRONG if asks_critique(request) else WRONG)
        traces = run_method(
            self_evolution.improve, prompts, script, p, dialect=Chat(), model_name="m", run_key=run_key
        )
        return {t.prompt_id for t in traces if controls(t)}

    assert drawn("a", 0.2) == drawn("a", 0.2)
    assert 20 <= len(drawn("a", 0.2)) <= 60
    assert drawn("a", 0.2) != drawn("b", 0.2)
    assert drawn("a", 0.2) < drawn("a", 0.5)


@pytest.mark.parametrize("dialect", [Chat(), Terse()])
def test_it_is_never_trained_on_whatever_is_said_of_it(dialect):
    prompt = Prompt("p", PROMPT.messages, reference="4", verifier="math_answer")
    trace = run(self_evolution, engine(), content_free=1.0)
    right = tuple(
        Score(pk, name, 1.0, Verdict.RIGHT) for pk in controls(trace) for name in ("self_verdict", "scorer")
    )
    material = Material(prompt, trace.responses, (*trace.scores, *right), trace.critiques)
    assert not controls(trace) & {r.id for r in material.responses}
    for kind in (RowKind.SAMPLE, RowKind.OUTCOME, RowKind.PREFERENCE, RowKind.REFINEMENT, RowKind.TRAJECTORY):
        for accept in ("self_verdict", "verifier"):
            found = curate([material], CuratePart(rows=(kind,), accept=accept), dialect)
            assert not controls(trace) & {c.response_id for c in found}

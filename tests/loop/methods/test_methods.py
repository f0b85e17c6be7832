"""What every file in loop/methods keeps, whoever adds it."""

import inspect

import pytest
from pydantic import BaseModel, ValidationError

from loop.recipe import method_named, method_names
from loop.records import Verdict
from loop.scripted import ScriptedEngine
from tests.loop.methods.scripts import run, script


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
    babbling = ScriptedEngine(lambda request, index: "blah\n\nblah", reward=lambda *_: 0.5)
    trace = run(method_named(name), babbling)
    assert all(c.verdict is Verdict.UNKNOWN and not c.parsed for c in trace.critiques)

"""The no-training baseline on an engine: as many examples as the context has room for, prompt by prompt."""

from types import SimpleNamespace

import pytest

from loop.records import Message, Prompt
from loop.scripted import ScriptedEngine
from workers.stages import evaluate

SHOTS = [{"user": "one two", "assistant": "three"}, {"user": "four", "assistant": "five six"}]


@pytest.fixture
def ask(monkeypatch):
    def ask(words, **engine):
        prompts = [Prompt(str(i), (Message("user", " ".join("x" * n)),)) for i, n in enumerate(words)]
        monkeypatch.setattr(evaluate, "prompt_records", lambda ids: [prompts[i] for i in ids])
        version = SimpleNamespace(name="m", dialect="terse", adapter_name=None)
        evaluation = SimpleNamespace(
            pk=1, model_version=version, split="heldout", sampling={"max_new_tokens": 4, "shots": SHOTS}
        )
        scripted = ScriptedEngine(lambda request, _: f"Answer: {(len(request.messages) - 1) // 2}")
        for name, value in engine.items():
            setattr(scripted, name, value)
        traces, fewer = evaluate.answers(evaluation, list(range(len(words))), scripted)
        assert [t.prompt_id for t in traces] == [str(i) for i in range(len(words))]
        return [t.responses[0].text.removeprefix("Answer: ") for t in traces], fewer

    return ask


def words_in(messages):
    return [word for m in messages for word in m.content.split()]


def test_fewer_examples_where_the_context_is_too_small_and_none_where_none_fits(ask):
    tokens = SimpleNamespace(prompt_ids=words_in)
    # Room for 12 words before the answer: both examples take 6, the first alone 3.
    assert ask([6, 7, 9, 10], context=16, tokens=tokens) == (["2", "1", "1", "0"], 3)


def test_a_server_that_does_not_say_gets_a_cautious_guess(ask):
    assert ask([5, 6500]) == (["2", "0"], 1)
    assert ask([5, 6500], context=100_000) == (["2", "2"], 0)

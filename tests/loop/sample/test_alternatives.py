"""Other ways to go on from a step: the prefix that is kept, with what a person corrected in it."""

import pytest

from loop.curate.material import prefix_before
from loop.dialects.chat import Chat
from loop.records import Message, Origin, Prompt, Response, Sampling, Verdict
from loop.runtime import run_method
from loop.sample.alternatives import alternatives
from loop.scripted import ScriptedEngine

CHAT = Chat()
PROMPT = Prompt("p", (Message("user", "Double 2, 1 more?"),), reference="5", verifier="math_answer")
TEXT = "1. 2 * 2 = 4\n\n2. 4 + 1 = 6\n3. so\nAnswer: 6"
GIVEN = Response("r", "p", TEXT, CHAT.split_steps(TEXT))


@pytest.mark.parametrize(
    ("step", "corrections", "prefix"),
    [
        (0, {}, ""),
        (1, {}, "1. 2 * 2 = 4\n\n"),
        (1, {1: "not before it"}, "1. 2 * 2 = 4\n\n"),
        (2, {1: " 4 + 1 = 5 "}, "1. 2 * 2 = 4\n\n2. 4 + 1 = 5\n"),
        (3, {0: "1. 4", 1: ""}, "1. 4\n\n2. 4 + 1 = 6\n3. so\n"),
    ],
)
def test_the_prefix_keeps_the_texts_own_separators_and_numbers(step, corrections, prefix):
    assert prefix_before(GIVEN, step, corrections) == prefix


@pytest.mark.parametrize("step", [-1, 4])
def test_there_is_nothing_before_a_step_that_does_not_exist(step):
    with pytest.raises(ValueError, match="no step"):
        prefix_before(GIVEN, step, {})


def test_each_continues_the_corrected_prefix_and_is_checked():
    tails = ["3. so it is 5\nAnswer: 5", "3. hm\nAnswer: 9"]
    engine = ScriptedEngine(lambda _, i: tails[i])
    (trace,) = run_method(
        alternatives(GIVEN, 2, 2, {1: "4 + 1 = 5"}),
        [PROMPT],
        engine,
        Sampling(temperature=0.8),
        dialect=CHAT,
        model_name="m",
        run_key="regeneration/1",
    )
    good = "1. 2 * 2 = 4\n\n2. 4 + 1 = 5\n"
    assert [r.text for r in trace.responses] == [good + tail for tail in tails]
    assert {(r.origin, r.parent_id) for r in trace.responses} == {(Origin.CONTINUATION, "r")}
    assert [s.verdict for s in trace.scores] == [Verdict.RIGHT, Verdict.WRONG]
    assert len({r.seed for r in trace.responses}) == 2
    assert engine.batches[0][0].prefix == good


def test_where_all_say_the_same_it_is_asked_once_more_and_hotter():
    said = iter(["yes", " yes", "yes", "so", "yes"])
    engine = ScriptedEngine(lambda _, __: f"4. {next(said)}\nAnswer: 5")
    (trace,) = run_method(
        alternatives(GIVEN, 3, 3, {}),
        [PROMPT],
        engine,
        Sampling(temperature=0.8),
        dialect=CHAT,
        model_name="m",
        run_key="regeneration/1",
    )
    assert [(r.n, round(r.sampling.temperature, 2)) for (r,) in engine.batches] == [(3, 0.8), (2, 1.2)]
    assert len(trace.responses) == 5
    assert len({r.seed for r in trace.responses}) == 5

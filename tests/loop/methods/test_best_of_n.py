"""Best of n: the scorer's favourite is accepted, if it is good enough."""

import pytest

from loop.dialects.chat import Chat
from loop.dialects.terse import Terse
from loop.methods import best_of_n
from loop.model import Completion, RewardRequest, Scorer
from loop.records import Verdict
from loop.runtime import run_method
from loop.score import over
from loop.scripted import ScriptedEngine
from tests.loop.methods.scripts import PROMPT

PRM = Scorer("prm-v2", "prm-v2", "process_reward")
TEXTS = ["2 + 2 = 4\nAnswer: 4", "2 + 2 = 5\nAnswer: 5", "\n2 + 2 = 4\n4 = 4\nAnswer: 4"]
# What a scorer says of a text up to an end.
SAYS = {
    "2 + 2 = 4": 0.9,
    "2 + 2 = 4\nAnswer: 4": 0.8,
    "2 + 2 = 5": 0.2,
    "2 + 2 = 5\nAnswer: 5": 0.95,
    "2 + 2 = 4\n4 = 4": 0.85,
    "2 + 2 = 4\n4 = 4\nAnswer: 4": 0.9,
}


def go(scorer=PRM, texts=TEXTS, **settings):
    engine = ScriptedEngine(lambda _, index: texts[index], reward=lambda _, text: SAYS[text])
    p = best_of_n.Settings(samples=len(texts), **settings)
    trace = run_method(
        best_of_n.improve,
        [PROMPT],
        engine,
        p,
        dialect=Terse(),
        model_name="m",
        adapter="policy-v1",
        scorer=scorer,
        run_key="k",
    )[0]
    return trace, engine


def named(trace, name):
    by_id = {s.response_id: s for s in trace.scores if s.name == name}
    return [by_id.get(r.id) for r in trace.responses]


@pytest.mark.parametrize(
    ("how", "values", "best"),
    [("min", [0.8, 0.2, 0.85], 2), ("product", [0.72, 0.19, 0.6885], 0), ("last", [0.8, 0.95, 0.9], 1)],
)
def test_one_number_of_the_steps_by_hand(how, values, best):
    trace, _ = go(over=how)
    assert trace.error == ""
    scores = named(trace, "process_reward")
    assert [s.value for s in scores] == pytest.approx(values)
    assert {s.verdict for s in scores} == {Verdict.UNKNOWN}  # a number is no verdict
    assert scores[0].detail == "steps 0.900 0.800"
    own = named(trace, "self_verdict")
    assert [i for i, s in enumerate(own) if s.verdict.decided] == [best]
    assert (own[best].verdict, own[best].value) == (Verdict.RIGHT, pytest.approx(max(values)))
    assert [s.verdict for s in named(trace, "verifier")] == [Verdict.RIGHT, Verdict.WRONG, Verdict.RIGHT]


def test_the_scorer_is_asked_once_for_all_with_its_own_adapter_and_the_trained_text():
    _, engine = go()
    (batch,) = engine.rewarded
    assert batch[2] == RewardRequest(PROMPT.messages, TEXTS[2].strip(), (9, 15, 25), "prm-v2")


def test_a_reward_model_is_asked_for_the_whole():
    trace, engine = go(scorer=Scorer("rm-v3", "rm-v3", "reward"))
    assert [r.ends for r in engine.rewarded[0]] == [(), (), ()]
    assert [s.value for s in named(trace, "reward")] == [0.8, 0.95, 0.9]
    assert [s.detail for s in named(trace, "reward")] == ["", "", ""]


def test_the_best_of_bad_ones_is_called_wrong_and_a_tie_goes_to_the_first():
    trace, _ = go(texts=[TEXTS[1], TEXTS[1]])
    first, second = named(trace, "self_verdict")
    assert [(s.verdict, s.value) for s in (first, second)] == [(Verdict.WRONG, 0.2), (Verdict.UNKNOWN, 0.2)]


def test_an_empty_text_is_not_scored():
    trace, engine = go(texts=["", TEXTS[0]])
    assert len(engine.rewarded[0]) == 1
    assert [bool(s) for s in named(trace, "self_verdict")] == [False, True]


def test_without_a_scorer_the_method_says_what_is_missing():
    trace, _ = go(scorer=None)
    assert "name reward or process_reward in needs" in trace.error


def test_an_engine_that_answers_too_little_is_found_out():
    class Short(ScriptedEngine):
        def reward(self, requests):
            return [(0.5,) for _ in requests]

    engine = Short(lambda *_: Completion(TEXTS[0]))
    p = best_of_n.Settings(samples=2)
    trace = run_method(
        best_of_n.improve, [PROMPT], engine, p, dialect=Chat(), model_name="m", scorer=PRM, run_key="k"
    )[0]
    assert "the engine gave 1" in trace.error


def test_no_steps_no_number():
    with pytest.raises(ValueError, match="without steps"):
        over((), "min")

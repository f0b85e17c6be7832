"""The no-training baseline's examples: which, in what order, as turns, and how many fit."""

from loop.dialects.terse import Terse
from loop.evaluate.shots import Candidate, choose, fitting, with_shots
from loop.evaluate.solve import Settings, solve
from loop.records import Message, Prompt
from loop.runtime import run_method
from loop.scripted import ScriptedEngine


def candidate(n, family="", user="question", assistant="answer", by_people=False, weight=1.0):
    return Candidate(n, family or f"f{n}", f"{user} {n}", f"{assistant} {n}", by_people, weight)


def test_people_first_then_weight_then_short_and_every_family_once():
    some = [
        candidate(1),
        candidate(2, weight=2.0, assistant="a long answer"),
        candidate(3, by_people=True, assistant="a very long answer"),
        candidate(4, family="f3", by_people=True, assistant="the same family, and longer still"),
        candidate(5, user="q"),
    ]
    assert [c.id for c in choose(some, 3)] == [3, 2, 5]
    assert [c.id for c in choose(reversed(some), 9)] == [3, 2, 5, 1]
    assert choose(some, 0) == []


def test_shots_stand_between_the_system_and_the_prompt():
    messages = (Message("system", "s"), Message("user", "q"))
    told = with_shots(messages, [("q1", "a1")])
    assert [(m.role, m.content) for m in told] == [
        ("system", "s"),
        ("user", "q1"),
        ("assistant", "a1"),
        ("user", "q"),
    ]
    assert with_shots(messages, []) == messages


def test_as_many_as_fit():
    messages, shots = (Message("user", "12345"),), [("aa", "bb"), ("cc", "dd")]

    def count(told):
        return sum(len(m.content) for m in told)

    assert [fitting(messages, shots, count, room) for room in (13, 12, 9, 8, 0)] == [2, 1, 1, 0, 0]


def test_the_model_reads_them_and_the_record_is_the_prompts_own():
    prompt = Prompt("1", (Message("user", "2 + 2?"),), reference="4", verifier="math_answer")
    engine = ScriptedEngine(lambda request, _: f"Answer: {len(request.messages)}")
    settings = Settings(shots=[{"user": "1 + 1?", "assistant": "Answer: 2"}])
    (trace,) = run_method(solve, [prompt], engine, settings, dialect=Terse(), model_name="m", run_key="k")
    assert engine.batches[0][0].messages[:2] == (Message("user", "1 + 1?"), Message("assistant", "Answer: 2"))
    assert (trace.responses[0].text, trace.scores[-1].verdict.value) == ("Answer: 3", "wrong")

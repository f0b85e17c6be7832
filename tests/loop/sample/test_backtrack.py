"""Backtracking: finish a judged response from its good prefix and the corrected step."""

from loop.curate import Material, corrected_trajectories
from loop.dialects.chat import Chat
from loop.records import Author, Critique, Mark, Message, Origin, Prompt, Response, Verdict
from loop.runtime import run_method
from loop.sample.backtrack import Settings, backtrack
from loop.scripted import ScriptedEngine

CHAT = Chat()
PROMPT = Prompt("p", (Message("user", "Double 2 and 1 more?"),), reference="5", verifier="math_answer")


def judged(text: str, error: int | None, correction: str = "") -> tuple[Response, Critique]:
    response = Response("r", "p", text, CHAT.split_steps(text))
    marks = tuple(Mark.WRONG if i == error else None for i in range(len(response.steps)))
    verdict = Verdict.RIGHT if error is None else Verdict.WRONG
    corrections = {error: correction} if error is not None and correction else {}
    return response, Critique("h", "r", Author.PERSON, marks, error, verdict, corrections=corrections)


def continued(response: Response, critique: Critique, script=("Answer: 5",), **settings):
    replies = list(script)
    engine = ScriptedEngine(lambda request, index: replies[index % len(replies)])
    method = backtrack({"p": [(response, critique)]})
    trace = run_method(
        method, [PROMPT], engine, Settings(**settings), dialect=CHAT, model_name="m", run_key="k"
    )[0]
    assert trace.error == ""
    return trace, engine


def test_it_goes_on_after_the_corrected_step_with_the_texts_own_separator():
    bad, critique = judged("1. 2 * 2 = 4\n\n2. 4 + 1 = 6\n\nAnswer: 6", 1, "4 + 1 = 5")
    trace, engine = continued(bad, critique, ("Answer: 5", "Answer: 7"), tries=2)
    (request,) = engine.batches[0]
    assert request.prefix == "1. 2 * 2 = 4\n\n2. 4 + 1 = 5\n\n"
    assert (request.n, request.messages) == (2, CHAT.solve(PROMPT))
    good, wrong = trace.responses
    assert good.text == "1. 2 * 2 = 4\n\n2. 4 + 1 = 5\n\nAnswer: 5"
    assert (good.origin, good.parent_id, good.answer) == (Origin.CONTINUATION, "r", "5")
    assert [s.verdict for s in trace.scores] == [Verdict.RIGHT, Verdict.WRONG]
    rows = corrected_trajectories(
        [Material(PROMPT, (bad, good, wrong), trace.scores, judgements=(critique,))], dialect=CHAT
    )
    assert [c.row.chosen for c in rows if c.kept] == [good.text]


def test_without_a_correction_it_starts_again_from_the_good_prefix():
    bad, critique = judged("1. 2 * 2 = 4\n2. 4 + 1 = 6\nAnswer: 6", 1)
    _, engine = continued(bad, critique)
    assert engine.batches[0][0].prefix == "1. 2 * 2 = 4\n"


def test_a_first_step_that_is_wrong_starts_from_nothing():
    bad, critique = judged("  1. 2 * 2 = 5\n2. 4 + 1 = 6", 0)
    _, engine = continued(bad, critique)
    assert engine.batches[0][0].prefix == ""


def test_nothing_is_sampled_where_nothing_is_left_to_say():
    for bad, critique in (
        judged("1. 2 * 2 = 4\n2. 4 + 1 = 5\nAnswer: 6", 2, "Answer: 5"),
        judged("1. 2 * 2 = 4\n2. 4 + 1 = 5\nAnswer: 5", None),
    ):
        trace, engine = continued(bad, critique)
        assert (engine.batches, trace.responses) == ([], ())

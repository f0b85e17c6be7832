"""The terse dialect: what it writes it reads back, and it reads nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.dialects import ReadCritique, dialect_named
from loop.dialects.terse import Terse
from loop.records import Author, Critique, Mark, Message, Prompt, Response, Verdict

T = Terse()
PROMPT = Prompt("p", (Message("user", "How many?"),))
S1, S2 = "3 * 12 = 36 : good", "Answer: 36 : good"
words = (
    st.text("abc 0123456789+-*/=.", min_size=1, max_size=20).map(lambda s: " ".join(s.split())).filter(bool)
)
step_texts = words.filter(lambda s: not s.startswith(" "))


def response(*steps: str) -> Response:
    text = "\n".join(steps)
    return Response("r", "p", text, T.split_steps(text))


@st.composite
def critiques(draw: st.DrawFn) -> tuple[ReadCritique, Response]:
    count = draw(st.integers(0, 6))
    marks: list[Mark | None] = draw(
        st.lists(st.sampled_from([Mark.GOOD, Mark.NEUTRAL, None]), min_size=count, max_size=count)
    )
    error = draw(st.none() | st.integers(0, count - 1)) if count else None
    if error is not None:
        marks = [*marks[:error], Mark.WRONG, *[None] * (count - error - 1)]
    spoken = list(range(count if error is None else error + 1))
    notes = st.dictionaries(st.sampled_from(spoken), words) if spoken else st.just({})
    wrong_only = (
        {error: draw(words.filter(lambda w: w != "?"))} if error is not None and draw(st.booleans()) else {}
    )
    verdict = draw(st.sampled_from([Verdict.RIGHT, Verdict.WRONG, Verdict.UNKNOWN]))
    read = ReadCritique(tuple(marks), error, verdict, draw(notes), wrong_only)
    return read, response(*["1 + 1 = 2"] * count)


@given(critiques())
def test_a_critique_is_read_back_as_written(case: tuple[ReadCritique, Response]) -> None:
    read, about = case
    assert T.read_critique(T.write_critique(read, about), about) == read


def test_the_written_form() -> None:
    about = response("3 * 12 = 36", "36 + 9 = 44", "Answer: 44")
    read = ReadCritique(
        (Mark.GOOD, Mark.WRONG, None), 1, Verdict.WRONG, {1: "wrong result"}, {1: "36 + 9 = 45"}
    )
    assert (
        T.write_critique(read, about)
        == "3 * 12 = 36 : good\n36 + 9 = 45 : wrong # wrong result\nVerdict: wrong"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Verdict: wrong",
        f"{S1}\nVerdict: right",
        f"{S1}\n{S2}\nAnswer: 36 : good\nVerdict: right",
        f"{S2}\n{S1}\nVerdict: right",
        f"{S1}\nAnswer: 37 : good\nVerdict: right",
        f"? : wrong\n{S2}\nVerdict: wrong",
        f"{S1}\nAnswer: 36 : fine\nVerdict: right",
        f"{S1}\n{S2}",
        f"{S1}\n{S2}\nVerdict: maybe",
        f"{S1}\n{S2}\nVerdict: right\nand more",
    ],
)
def test_anything_else_is_unreadable(text: str) -> None:
    assert T.read_critique(text, response("3 * 12 = 36", "Answer: 36")) is None


def test_marks_must_fit_the_steps() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        T.write_critique(ReadCritique((Mark.GOOD,), None, Verdict.RIGHT), response("a", "b"))


@given(st.lists(step_texts, max_size=6))
def test_steps_join_and_split(steps: list[str]) -> None:
    assert [s.text for s in T.split_steps(T.join_steps(steps))] == steps


@given(st.text(max_size=80))
def test_spans_cut_out_the_step(text: str) -> None:
    assert all(text[s.start : s.end] == s.text and s.text.strip() for s in T.split_steps(text))
    assert [s.index for s in T.split_steps(text)] == list(range(len(T.split_steps(text))))


def test_answers_and_judgements() -> None:
    assert T.read_answer("3 * 12 = 36\nAnswer: 36 ") == "36"
    assert T.read_answer("Answer: 1\nAnswer: 2") == "2"
    assert T.read_answer("36") is None
    said = ("A", "1 + 1 = 2\nBetter: B\n", "C", "tie", "AB", "")
    assert [T.read_judgement(text, 2) for text in said] == [0, 1, None, None, None, None]
    assert T.read_judgement(T.write_judgement("Answer: 2", 1), 2) == 1


def test_refining_shows_the_draft_and_every_note() -> None:
    draft = response("3 * 12 = 35", "Answer: 35")
    first = Critique(
        "c", "r", Author.MODEL, (Mark.WRONG, None), 0, Verdict.WRONG, corrections={0: "3 * 12 = 36"}
    )
    second = Critique("d", "r", Author.MODEL, (Mark.GOOD, Mark.GOOD), None, Verdict.RIGHT)
    assert [(m.role, m.content) for m in T.refine(PROMPT, draft, [first, second])] == [
        ("user", "How many?\nDraft:\n3 * 12 = 35\nAnswer: 35\nCheck:"),
        ("assistant", "3 * 12 = 36 : wrong\nVerdict: wrong"),
        ("user", "Check:"),
        ("assistant", "3 * 12 = 35 : good\nAnswer: 35 : good\nVerdict: right"),
        ("user", "Rewrite:"),
    ]


def test_trying_again_has_the_turns_of_a_rewrite_and_a_verdict_without_words() -> None:
    draft = response("3 * 12 = 35", "Answer: 35")
    assert [(m.role, m.content) for m in T.try_again(PROMPT, draft)] == [
        ("user", "How many?\nDraft:\n3 * 12 = 35\nAnswer: 35\nCheck:"),
        ("assistant", "Verdict: wrong"),
        ("user", "Rewrite:"),
    ]


def test_judging_shows_each_response_under_its_letter() -> None:
    (message,) = T.judge(PROMPT, [response("Answer: 1"), response("Answer: 2")])
    assert message.content == "How many?\nA:\nAnswer: 1\nB:\nAnswer: 2\nCompare:"
    with pytest.raises(ValueError, match="2 to 8"):
        T.judge(PROMPT, [response("Answer: 1")])


def test_an_earlier_turn_stays_in_front() -> None:
    prompt = Prompt("p", (Message("system", "Be brief."), Message("user", "How many?")))
    messages = T.critique(prompt, response("Answer: 1"))
    assert messages[0] == Message("system", "Be brief.")
    assert messages[1].content == "How many?\nDraft:\nAnswer: 1\nCheck:"


def test_it_is_found_by_name() -> None:
    pytest.importorskip("loop.dialects.chat")
    assert dialect_named("terse").name == dialect_named("terse-1").name == "terse-1"

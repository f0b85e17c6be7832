"""The chat dialect: what it asks, and that it reads back exactly what was asked for and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.dialects import ReadCritique, dialect_named
from loop.dialects.chat import Chat
from loop.records import Author, Critique, Mark, Message, Prompt, Response, Verdict

CHAT = Chat()
PROMPT = Prompt("p", (Message("system", "Be brief."), Message("user", "What is <2 & 3> * 2?")))
GOOD, NEUTRAL, WRONG = Mark.GOOD, Mark.NEUTRAL, Mark.WRONG


def response(text: str, name: str = "r") -> Response:
    return Response(name, "p", text, CHAT.split_steps(text))


def texts(text: str) -> list[str]:
    return [s.text for s in CHAT.split_steps(text)]


# ------------------------------------------------------------------------------------------- steps
@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("1. Add.\n2. Double.\nAnswer: 8", ["1. Add.", "2. Double.", "Answer: 8"]),
        ("So:\n1) Add\n   carefully.\n\n2) Double", ["So:", "1) Add\n   carefully.", "2) Double"]),
        (
            "**Step 1:** Add\n**Step 2:** Double\n**Answer:** 8",
            ["**Step 1:** Add", "**Step 2:** Double", "**Answer:** 8"],
        ),
        ("### Step 1. Add\n### Step 2. Double", ["### Step 1. Add", "### Step 2. Double"]),
        ("First add.\nThen\n\ndouble it.", ["First add.\nThen", "double it."]),
        ("Add 1.5 to it\r\nDouble\r\n", ["Add 1.5 to it", "Double"]),
        ("16 - 3 = 13\n13 * 2 = 26\nA: 26", ["16 - 3 = 13", "13 * 2 = 26", "A: 26"]),
        ("one line", ["one line"]),
        ("  \n ", []),
        ("", []),
        ("a\u2028b", ["a\u2028b"]),
    ],
)
def test_steps(text, steps):
    assert texts(text) == steps


SPACES = [" ", "\n", "\n\n", " \n\t\n", "\r\n", "\x0b", "\u2028", "\u00a0"]
MARKERS = ["1. ", "2)", "Step 3:", "**Step 4:** ", "- ", "#", "Answer: 4", "A: 4", "#### 4"]
FRAGMENTS = st.sampled_from([*SPACES, *MARKERS, "a", "b c", "3.5"])
ANY_TEXT = st.one_of(st.text(), st.lists(FRAGMENTS).map("".join))


@settings(max_examples=500)
@given(ANY_TEXT)
def test_steps_cover_the_text_exactly_and_survive_joining(text):
    steps = CHAT.split_steps(text)
    end = 0
    for index, step in enumerate(steps):
        assert step.index == index
        assert step.text == text[step.start : step.end]
        assert step.text == step.text.strip() != ""
        assert text[end : step.start].strip() == ""
        end = step.end
    assert text[end:].strip() == ""
    assert texts(CHAT.join_steps([s.text for s in steps])) == [s.text for s in steps]


# ----------------------------------------------------------------------------------------- wording
def test_solve_keeps_the_conversation_and_asks_for_the_form():
    system, user = CHAT.solve(PROMPT)
    assert system == Message("system", "Be brief.")
    assert user.content.startswith("What is <2 & 3> * 2?\n")  # never escaped
    assert user.content.endswith("Answer: <result>")


def test_refine_tells_the_whole_history_oldest_first():
    first, second = response("1. a\n2. b"), response("1. c\n2. d", "r2")
    notes = CHAT.read_critique("Step 1: wrong - no\nVerdict: wrong", first)
    again = CHAT.read_critique("Step 1: correct\nStep 2: wrong\nVerdict: wrong", second)
    messages = CHAT.refine(PROMPT, second, [tied(again, second)], [(first, [tied(notes, first)])])
    assert [m.role for m in messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert messages[2].content == "1. a\n2. b"
    assert "Step 1: wrong - no" in messages[3].content
    assert messages[4].content == "1. c\n2. d"
    assert "Step 2: wrong" in messages[5].content


def test_trying_again_shows_the_draft_and_no_note():
    draft = response("1. a\n2. b")
    notes = CHAT.read_critique("Step 1: wrong - no\nCorrection: 1. yes\nVerdict: wrong", draft)
    told, untold = CHAT.refine(PROMPT, draft, [tied(notes, draft)]), CHAT.try_again(PROMPT, draft)
    assert untold[:-1] == told[:-1]
    assert "write the whole solution again" in untold[-1].content
    assert "Step 1" not in untold[-1].content
    assert "yes" not in untold[-1].content


def test_critique_and_judge_show_what_is_judged():
    asked = CHAT.critique(PROMPT, response("1. Add.\n2. Double."))[-1].content
    assert "[Step 2] 2. Double." in asked
    assert "<2 & 3>" in asked
    asked = CHAT.judge(PROMPT, [response("x"), response("y")])[-1].content
    assert "Solution A:\nx" in asked
    assert "Solution B:\ny" in asked
    with pytest.raises(ValueError, match="2 to 8"):
        CHAT.judge(PROMPT, [response("x")])


def tied(read: ReadCritique, to: Response, text: str = "") -> Critique:
    return Critique(
        "c",
        to.id,
        Author.MODEL,
        read.marks,
        read.first_error,
        read.verdict,
        read.comments,
        read.corrections,
        text,
    )


# ---------------------------------------------------------------------------------------- critique
THREE = response("1. a\n2. b\n3. c")


def test_a_critique_up_to_the_first_error_is_read():
    read = CHAT.read_critique(
        "Step 1: correct\nStep 2: wrong - b is off\nCorrection: 2. bb\nVerdict: wrong", THREE
    )
    assert read == ReadCritique((GOOD, WRONG, None), 1, Verdict.WRONG, {1: "b is off"}, {1: "2. bb"})


def test_a_clean_bill_is_read():
    read = CHAT.read_critique(
        "Step 1: correct\nStep 2: neutral - restates\nStep 3: Correct.\nVerdict: correct\n", THREE
    )
    assert read == ReadCritique((GOOD, NEUTRAL, GOOD), None, Verdict.RIGHT, {1: "restates"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Looks good to me!",
        "Verdict: wrong",
        "Verdict: correct",
        "Step 1: correct\nStep 2: correct\nVerdict: correct",  # step 3 not judged
        "Step 1: correct\nStep 3: correct\nStep 2: correct\nVerdict: correct",  # out of order
        "Step 1: correct\nStep 2: wrong\nVerdict: correct",  # contradicts itself
        "Step 1: correct\nStep 2: correct\nStep 3: correct\nVerdict: wrong",
        "Step 1: correct\nStep 2: wrong\nStep 3: correct\nVerdict: wrong",  # went on after the error
        "Step 1: correct\nStep 2: perhaps\nStep 3: correct\nVerdict: correct",
        "Step 1: correct\nStep 2: correct\nStep 3: correct\nStep 4: wrong\nVerdict: wrong",  # no such step
        "Step 1: correct\nStep 2: correct\nStep 3: correct\nCorrection: x\nVerdict: correct",
        "Sure!\nStep 1: wrong\nVerdict: wrong",
        "Step 1: wrong\nIt should be aa\nVerdict: wrong",
        "Step 1: wrong",
    ],
)
def test_anything_else_is_unreadable(text):
    assert CHAT.read_critique(text, THREE) is None


LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=12)
WORDS = LINE.map(lambda t: " ".join(t.split()))


@st.composite
def critiques(draw) -> tuple[ReadCritique, Response]:
    count = draw(st.integers(1, 5))
    judged = response("\n".join(f"{i}. step" for i in range(1, count + 1)) if count > 1 else "step")
    error = draw(st.none() | st.integers(0, count - 1))
    good = [draw(st.sampled_from([GOOD, NEUTRAL])) for _ in range(count if error is None else error)]
    marks = good + ([] if error is None else [WRONG] + [None] * (count - error - 1))
    comments = {i: w for i, m in enumerate(marks) if m is not None and (w := draw(WORDS))}
    correction = "" if error is None else draw(WORDS)
    corrections = {error: correction} if correction else {}
    verdict = Verdict.RIGHT if error is None else Verdict.WRONG
    return ReadCritique(tuple(marks), error, verdict, comments, corrections), judged


@settings(max_examples=300)
@given(critiques())
def test_what_is_written_is_read_back(case):
    critique, judged = case
    assert CHAT.read_critique(CHAT.write_critique(critique, judged), judged) == critique


LINES = [
    "Step 1: correct",
    "Step 2: correct",
    "Step 2: wrong - x",
    "Step 3: correct",
    "Correction: y",
    "",
    "z",
]
LINES += ["Verdict: wrong", "Verdict: correct"]


@settings(max_examples=200)
@given(st.text() | st.lists(st.sampled_from(LINES)).map("\n".join))
def test_whatever_is_read_fits_the_response(text):
    read = CHAT.read_critique(text, THREE)
    if read is not None:
        assert len(read.marks) == 3
        assert (read.first_error is None) == (read.verdict is Verdict.RIGHT)
        assert CHAT.read_critique(CHAT.write_critique(read, THREE), THREE) == read


def test_marking_only_the_first_error_says_that_what_precedes_is_correct():
    marked = ReadCritique((None, None, WRONG), 2, Verdict.WRONG)
    assert (
        CHAT.write_critique(marked, THREE)
        == "Step 1: correct\nStep 2: correct\nStep 3: wrong\nVerdict: wrong"
    )


def test_a_critique_without_a_judgement_cannot_be_written():
    with pytest.raises(ValueError, match="names no error"):
        CHAT.write_critique(ReadCritique((None, None, None), None, Verdict.UNKNOWN), THREE)
    with pytest.raises(ValueError, match="does not fit"):
        CHAT.write_critique(ReadCritique((GOOD,), None, Verdict.RIGHT), THREE)


# --------------------------------------------------------------------------------- answer, judgement
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("1. x\nAnswer: 8", "8"),
        ("Answer: 7\nNo.\nAnswer: 8 cm", "8 cm"),
        ("**Answer:** 8", "8"),
        ("**Final Answer**: 8", "8"),
        ("The answer is 8", "8"),
        ("so \\boxed{\\frac{1}{2}}.\nAnswer: 7", "\\frac{1}{2}"),
        ("\\boxed{1} or \\boxed{2", "1"),
        ("#### 1,200", "1,200"),
        ("A: 26", "26"),
        ("no answer here", None),
        ("Answer:", None),
        ("The answer", None),
        ("", None),
    ],
)
def test_the_stated_answer(text, answer):
    assert CHAT.read_answer(text) == answer


@given(ANY_TEXT)
def test_reading_an_answer_never_fails(text):
    answer = CHAT.read_answer(text)
    assert answer is None or answer.strip()


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("Best: B", 1),
        ("A", 0),
        ("[[B]]", 1),
        ("B is longer, yet\nBest: A.", 0),
        ("The best solution is B.", 1),
        ("Best: tie", None),
        ("Best: C", None),  # there is no C
        ("Both A and B are fine", None),
        ("", None),
    ],
)
def test_judgements(text, index):
    assert CHAT.read_judgement(text, 2) == index


def test_dialects_are_found_with_and_without_version():
    assert dialect_named("chat").name == dialect_named("chat-1").name == "chat-1"
    assert dialect_named("terse").name.startswith("terse-")
    with pytest.raises(LookupError, match="chat, terse"):
        dialect_named("chat-9")

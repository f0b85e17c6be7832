"""Formats that name the first wrong step: whatever their convention, 0 is a step and never "none"."""

import json
import os
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.annotate.formats import Answer, FormatError, Outcome, exchange

DATA = Path(os.environ.get("WHETSTONE_DATA") or Path(__file__).parents[5] / "shared" / "data")

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
said = words.filter(str.strip)
extras = st.dictionaries(words.map("x-".__add__), st.one_of(st.none(), st.booleans(), words), max_size=2)


@st.composite
def rows(draw, format_name):
    steps = draw(st.lists(said, min_size=1, max_size=5))
    first = draw(st.none() | st.integers(0, len(steps) - 1))
    row = {"steps": steps, **draw(extras)}
    if format_name == "processbench":
        row |= {"id": draw(words), "problem": draw(said), "final_answer_correct": draw(st.booleans())}
        row["label"] = -1 if first is None else first
    elif format_name == "big_bench_mistake":
        row |= {"input": draw(said), "target": draw(words), "answer": draw(words), "mistake_index": first}
    else:
        row = {key: value for key, value in row.items() if key != "steps"}
        heads = draw(st.booleans())  # numbered in words, with empty entries between, or one entry per step
        clean = [s for s in steps if not s.strip().lower().startswith(("step", "solution"))] or ["a"]
        first = None if first is None else min(first, len(clean) - 1)
        entries = [part for i, s in enumerate(clean) for part in (f"Step {i + 1}: {s}", "")]
        row |= {
            "Question_UUID": draw(words),
            "Question": draw(said),
            "Options": draw(st.sampled_from(["", "A: 1 \nB: 2"])),
            "Ground_Truth_Answer_Modified": draw(said),
            "Model_Solution_Steps": entries if heads else clean,
            "Model_Solution_Correctness": "correct" if first is None else "incorrect",
            "Model_Solution_First_Error_Step": "N/A" if first is None else str(first + 1),
        }
        written = st.just("N/A") if first is None else st.lists(words, min_size=1, max_size=2)
        row["Model_Solution_Error_Reason"] = draw(written)
        row["Model_Solution_Rectified_First_Error_Step"] = draw(written)
    return row, first


@pytest.mark.parametrize("name", ["processbench", "big_bench_mistake", "mr_ben"])
@given(st.data())
def test_what_goes_in_comes_out(name, data):
    row, first = data.draw(rows(name))
    item = exchange(name).read(row)
    assert item.answer.payload["first_error"] == first
    marks = item.answer.payload["marks"]
    assert marks == (
        [1] * len(item.steps)
        if first is None
        else [1] * first + [-1] + [None] * (len(item.steps) - first - 1)
    )
    through_json = Answer(json.loads(json.dumps(item.answer.payload)))
    assert exchange(name).write(item, through_json) == row


@pytest.mark.parametrize("name", ["processbench", "big_bench_mistake", "mr_ben"])
@given(st.data())
def test_a_changed_first_error_is_read_back_as_changed(name, data):
    row, _ = data.draw(rows(name))
    item = exchange(name).read(row)
    count = len(item.steps)
    first = data.draw(st.none() | st.integers(0, count - 1))
    verdict = "right" if first is None else "wrong"
    marks = [1] * count if first is None else [1] * first + [-1] + [None] * (count - first - 1)
    written = exchange(name).write(item, Answer({"marks": marks, "first_error": first, "verdict": verdict}))
    again = exchange(name).read(written)
    assert (again.answer.payload["first_error"], again.steps) == (first, item.steps)


PROCESS = {"id": "a-1", "problem": "2+2?", "steps": ["2+2=5", "So 5"], "final_answer_correct": False}
MISTAKE = {"input": "2+2?", "steps": ["2+2=5", "So 5"], "target": "4", "answer": "5"}
MR_BEN = {
    "Question_UUID": "u",
    "Question": "2+2?",
    "Options": "A: 4 \nB: 5",
    "Model_Solution_Steps": ["Step 1: 2+2=5", "", "Step 2: so", "five", "Solution: Choice_B"],
    "Model_Solution_Correctness": "incorrect",
    "Model_Solution_First_Error_Step": "2",
    "Model_Solution_Error_Reason": ["four\n", "no"],
    "Model_Solution_Rectified_First_Error_Step": ["Step 2: so four", "x"],
}


def test_position_0_is_an_error_and_minus_1_and_null_are_none():
    process, mistake = exchange("processbench"), exchange("big_bench_mistake")
    for module, row, key, none in (
        (process, PROCESS, "label", -1),
        (mistake, MISTAKE, "mistake_index", None),
    ):
        assert module.read({**row, key: 0}).answer.payload["first_error"] == 0
        assert module.read({**row, key: none}).answer.payload["first_error"] is None
        assert module.read(row).answer is None  # nobody judged it
        assert key not in module.write(module.read(row), None)


def test_the_verdict_is_about_the_answer():
    right = {**PROCESS, "final_answer_correct": True, "label": 0}
    assert exchange("processbench").read(right).answer.payload["verdict"] == "right"
    assert (
        exchange("big_bench_mistake").read({**MISTAKE, "mistake_index": 0}).answer.payload["verdict"]
        == "wrong"
    )


def test_mr_ben_by_hand():
    item = exchange("mr_ben").read(MR_BEN)
    assert item.prompt == "2+2?\n\nA: 4 \nB: 5".strip()
    assert item.steps == ("Step 1: 2+2=5", "Step 2: so\nfive", "Solution: Choice_B")
    assert item.answer.payload == {
        "marks": [1, -1, None],
        "first_error": 1,
        "verdict": "wrong",
        "comments": {"1": "four\nno"},
        "corrections": {"1": "Step 2: so four"},
    }
    changed = dict(item.answer.payload, comments={"1": "It is four."})
    assert exchange("mr_ben").write(item, Answer(changed))["Model_Solution_Error_Reason"] == "It is four."


def test_mr_ben_names_a_line_of_code():
    code = {**MR_BEN, "Model_Solution_Steps": "def f():\n    x = 1\n\n    return x\n    return x\n"}
    one = {**code, "Model_Solution_First_Error_Step": "    x = 1 ", "Model_Solution_Error_Reason": "2"}
    item = exchange("mr_ben").read(one)
    assert (item.answer.payload["first_error"], item.text) == (1, code["Model_Solution_Steps"])
    assert exchange("mr_ben").write(item, item.answer) == one
    twice = {**code, "Model_Solution_First_Error_Step": "    return x"}
    item = exchange("mr_ben").read(twice)
    assert item.answer is None  # which of the two nobody can tell
    assert exchange("mr_ben").write(item, None) == twice


@pytest.mark.parametrize(
    ("name", "row", "key"),
    [
        ("processbench", {**PROCESS, "label": 2}, "label"),
        ("processbench", {**PROCESS, "label": True}, "label"),
        ("processbench", {**PROCESS, "label": None}, "label"),
        ("processbench", {**PROCESS, "steps": "a"}, "steps"),
        ("processbench", {**PROCESS, "steps": ["a", " "]}, "steps[1]"),
        ("processbench", {**PROCESS, "problem": "a\0"}, "problem"),
        ("processbench", {**PROCESS, "final_answer_correct": 1}, "final_answer_correct"),
        ("big_bench_mistake", {**MISTAKE, "mistake_index": -1}, "mistake_index"),
        ("big_bench_mistake", {**MISTAKE, "mistake_index": "0"}, "mistake_index"),
        ("big_bench_mistake", {**MISTAKE, "input": " "}, "input"),
        ("mr_ben", {**MR_BEN, "Model_Solution_First_Error_Step": "0"}, "Model_Solution_First_Error_Step"),
        ("mr_ben", {**MR_BEN, "Model_Solution_First_Error_Step": "N/A"}, "Model_Solution_First_Error_Step"),
        ("mr_ben", {**MR_BEN, "Model_Solution_Correctness": "yes"}, "Model_Solution_Correctness"),
        ("mr_ben", {**MR_BEN, "Model_Solution_Steps": [""]}, "Model_Solution_Steps"),
    ],
)
def test_the_key_at_fault_is_named(name, row, key):
    with pytest.raises(FormatError) as caught:
        exchange(name).read(row)
    assert caught.value.key == key
    assert str(caught.value).startswith(f"{key}: ")


@pytest.mark.parametrize("name", ["processbench", "big_bench_mistake", "mr_ben"])
def test_no_word_for_an_answer_set_aside(name):
    row = {"processbench": PROCESS, "big_bench_mistake": MISTAKE, "mr_ben": MR_BEN}[name]
    with pytest.raises(FormatError, match="no word"):
        exchange(name).write(exchange(name).read(row), Answer({"reason": ""}, Outcome.GIVE_UP))


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="public data not found")
@pytest.mark.parametrize("name", ["processbench", "big_bench_mistake", "mr_ben"])
def test_real_rows(name):
    judged = 0
    files = sorted((DATA / name).glob("*.jsonl"))
    for path in files:
        with path.open(encoding="utf-8", newline="\n") as lines:
            for line in islice(lines, -(-100 // len(files))):
                row = json.loads(line)
                item = exchange(name).read(row)
                judged += item.answer is not None
                assert exchange(name).write(item, item.answer) == row
    assert judged >= 90

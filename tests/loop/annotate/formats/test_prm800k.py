"""PRM800K: several completions per step, null ratings, both phases; what goes in comes out."""

import copy
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.annotate.formats import Answer, FormatError, Outcome, exchange

DATA = Path(os.environ.get("WHETSTONE_DATA") or Path(__file__).parents[5] / "shared" / "data")
FORMAT = exchange("prm800k")

said = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
).filter(str.strip)
ratings = st.sampled_from([-1, 0, 1, None])
completion = st.fixed_dictionaries(
    {"text": said, "rating": ratings, "flagged": st.sampled_from([True, False, None])}
)


@st.composite
def label_steps(draw):
    completions = draw(st.none() | st.lists(completion, max_size=4))
    human = draw(
        st.none() | st.fixed_dictionaries({"text": said, "rating": ratings, "source": st.just("human")})
    )
    if not completions and human is None:
        human = {"text": "by hand", "rating": None}
    choices = st.none() if not completions else st.none() | st.integers(0, len(completions) - 1)
    return {"completions": completions, "human_completion": human, "chosen_completion": draw(choices)}


@st.composite
def prm_rows(draw):
    question = {"problem": draw(said), "ground_truth_answer": draw(st.none() | said)}
    steps = draw(st.lists(label_steps(), max_size=4))
    if not steps or draw(st.booleans()):  # phase 2
        generated = draw(st.lists(said, min_size=max(1, len(steps)), max_size=6))
        question |= {"pre_generated_steps": generated, "pre_generated_verifier_score": draw(st.floats(0, 1))}
    return {
        "labeler": draw(said),
        "generation": draw(st.sampled_from([None, -1, 6])),
        "is_quality_control_question": draw(st.booleans()),
        "question": question,
        "label": {
            "steps": steps,
            "total_time": draw(st.integers(0, 10**7)),
            "finish_reason": draw(st.sampled_from(["found_error", "solution", "bad_problem", "give_up"])),
        },
    }


@given(prm_rows())
def test_any_row_comes_out_as_it_went_in(row):
    kept = copy.deepcopy(row)
    item = FORMAT.read(row)
    through_json = Answer(
        json.loads(json.dumps(item.answer.payload)), item.answer.outcome, item.answer.seconds
    )
    assert FORMAT.write(item, through_json) == kept
    assert row == kept
    marks = item.answer.critique["marks"]
    first = item.answer.critique["first_error"]
    assert len(marks) == len(item.steps)
    if first is not None:  # nothing is judged after it
        assert marks[first:] == [-1] + [None] * (len(marks) - first - 1)
        assert -1 not in marks[:first]


@given(prm_rows())
def test_without_its_label_a_row_is_unjudged_and_keeps_its_steps(row):
    del row["label"]
    if "pre_generated_steps" not in row["question"]:
        with pytest.raises(FormatError, match=r"^label.steps: "):
            FORMAT.read(row)
        return
    item = FORMAT.read(row)
    assert item.answer is None
    assert FORMAT.write(item, None) == row


def phase_1(*steps, finish="solution"):
    return {
        "labeler": "l",
        "question": {"problem": "2+2?", "ground_truth_answer": "4"},
        "label": {"steps": list(steps), "total_time": 1500, "finish_reason": finish},
    }


def step(*rated, chosen=None, human=None):
    completions = [{"text": text, "rating": rating, "flagged": False} for text, rating in rated]
    return {"completions": completions, "human_completion": human, "chosen_completion": chosen}


HUMAN = {"text": "by hand", "rating": None, "source": "human", "flagged": False}


def test_what_was_walked_along_by_hand():
    row = phase_1(
        step(("a", 0), ("b", 1), chosen=1), step(("c", -1), human=HUMAN), step(("# Answer\n\n4", 1), chosen=0)
    )
    item = FORMAT.read(row)
    assert item.steps == ("b", "by hand", "# Answer\n\n4")
    assert item.answer == Answer(
        {"marks": [1, None, 1], "first_error": None, "unsure": [1], "verdict": "right"}, "answered", 1.5
    )
    assert [(b["step"], b["text"], b["mark"]) for b in item.meta["branches"]] == [(0, "a", 0), (1, "c", -1)]


@pytest.mark.parametrize(("finish", "outcome"), [("bad_problem", "bad_problem"), ("give_up", "give_up")])
def test_set_aside_with_the_work_done_so_far(finish, outcome):
    row = phase_1(step(("a", 1), chosen=0), step(("c", -1), ("d", -1)), finish=finish)
    item = FORMAT.read(row)
    assert item.answer.outcome == outcome
    assert item.answer.payload["partial"] == {"marks": [1, -1], "first_error": 1, "unsure": []}
    assert FORMAT.write(item, item.answer) == row


def test_found_error_in_phase_2_leaves_the_rest_unjudged():
    row = phase_1(step(("a", 1), chosen=0), step(("b", -1), ("better", 1)), finish="found_error")
    row["question"]["pre_generated_steps"] = ["a", "b", "c", "d"]
    item = FORMAT.read(row)
    assert item.steps == ("a", "b", "c", "d")
    assert item.answer.payload["marks"] == [1, -1, None, None]
    assert FORMAT.write(item, item.answer) == row


def test_another_answer_to_the_same_solution():
    row = phase_1(step(("a", 1), chosen=0), step(("b", -1)), finish="found_error")
    row["question"]["pre_generated_steps"] = ["a", "b", "c"]
    item = FORMAT.read(row)
    fine = Answer(
        {
            "marks": [1, 0, 1],
            "first_error": None,
            "verdict": "right",
            "branches": [{"step": 1, "text": "more", "mark": 1, "chosen": True}],
        },
        seconds=2.0,
    )
    label = FORMAT.write(item, fine)["label"]
    assert (label["finish_reason"], label["total_time"]) == ("solution", 2000)
    assert [[c["rating"] for c in s["completions"]] for s in label["steps"]] == [[1], [0, 1], [1]]
    assert [s["chosen_completion"] for s in label["steps"]] == [0, 1, 0]
    early = Answer({"marks": [-1, None, None], "first_error": 0, "verdict": "wrong"})
    label = FORMAT.write(item, early)["label"]
    assert (label["finish_reason"], len(label["steps"])) == ("found_error", 1)


def test_no_word_for_unsure():
    item = FORMAT.read(phase_1(step(("a", 1), chosen=0)))
    with pytest.raises(FormatError, match=r"^label.finish_reason: "):
        FORMAT.write(item, Answer({"reason": "?"}, Outcome.UNSURE))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda r: r.pop("question"), "question"),
        (lambda r: r["question"].pop("problem"), "question.problem"),
        (lambda r: r["label"].update(finish_reason="done"), "label.finish_reason"),
        (lambda r: r["label"].update(total_time="1"), "label.total_time"),
        (lambda r: r["label"].update(steps={}), "label.steps"),
        (lambda r: r["label"]["steps"].__setitem__(0, 1), "label.steps[0]"),
        (lambda r: r["label"]["steps"][0].update(chosen_completion=1), "label.steps[0].chosen_completion"),
        (lambda r: r["label"]["steps"][0].update(completions=[]), "label.steps[0].chosen_completion"),
        (
            lambda r: r["label"]["steps"][0]["completions"][0].update(rating=2),
            "label.steps[0].completions[0].rating",
        ),
        (
            lambda r: r["label"]["steps"][0]["completions"][0].update(rating=True),
            "label.steps[0].completions[0].rating",
        ),
        (
            lambda r: r["label"]["steps"][0]["completions"][0].update(text=None),
            "label.steps[0].completions[0].text",
        ),
    ],
)
def test_the_key_at_fault_is_named(change, key):
    row = phase_1(step(("a", 1), chosen=0))
    change(row)
    with pytest.raises(FormatError) as caught:
        FORMAT.read(row)
    assert caught.value.key == key


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="public data not found")
def test_real_rows():
    rows = [json.loads(line) for line in (DATA / "prm800k" / "example_rows.jsonl").read_bytes().splitlines()]
    items = [FORMAT.read(row) for row in rows]
    assert [FORMAT.write(item, item.answer) for item in items] == rows
    one, two = items
    assert one.answer.payload == {
        "marks": [1, None, 1, 1, 1, 1],
        "first_error": None,
        "unsure": [1],
        "verdict": "right",
    }
    assert (len(two.steps), two.answer.payload["first_error"]) == (13, 6)
    assert two.answer.payload["marks"][6:] == [-1] + [None] * 6

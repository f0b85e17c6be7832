"""Training formats, each by hand: what an answer makes, and what it does not."""

import pytest

from loop.annotate.formats import Answer, TaskItem, exchange_names, training, training_names
from loop.records import Message

ASKED = (Message("user", "2+2?"),)
SOLUTION = TaskItem(ASKED, "a\nb\nc\nd", ((0, 1), (2, 3), (4, 5), (6, 7)))
PAIR = TaskItem(ASKED, candidates=("four", "five", "six"))


def critique(*marks, verdict="unknown"):
    return Answer(
        {"marks": list(marks), "first_error": marks.index(-1) if -1 in marks else None, "verdict": verdict}
    )


def stepwise(answer, neutral="drop"):
    return [
        (r["completions"], r["labels"])
        for r in training("trl_stepwise").rows(SOLUTION, answer, neutral=neutral)
    ]


def test_the_folder_is_the_registry():
    assert exchange_names() == ("big_bench_mistake", "mr_ben", "plain", "prm800k", "processbench")
    assert training_names() == ("kto", "openai_preference", "trl_preference", "trl_stepwise")
    with pytest.raises(LookupError, match="trl_stepwise"):
        training("trl")


def test_a_neutral_step_is_treated_as_declared():
    marks = critique(1, 0, 1, -1)
    assert stepwise(marks, "positive") == [(["a", "b", "c", "d"], [True, True, True, False])]
    assert stepwise(marks, "negative") == [(["a", "b", "c", "d"], [True, False, True, False])]
    assert stepwise(marks, "drop") == [(["a", "b\nc", "d"], [True, True, False])]
    assert stepwise(critique(1, 1, 1, 0), "drop") == [(["a", "b", "c"], [True, True, True])]
    with pytest.raises(ValueError, match="drop, positive, negative"):
        stepwise(marks, "ignore")


def test_nothing_unjudged_is_trained_on():
    assert stepwise(critique(1, -1, None, None), "positive") == [(["a", "b"], [True, False])]
    assert stepwise(critique(1, None, 1, 1), "positive") == [
        (["a", "b\nc", "d"], [True, True, True])
    ]  # unsure
    assert stepwise(critique(None, None, None, None)) == []
    assert stepwise(Answer({"reason": ""}, "give_up")) == []


def test_the_manifest_says_what_was_decided():
    assert training("trl_stepwise").manifest(neutral="negative") == {
        "format": "trl_stepwise",
        "neutral": "negative",
        "unsure": "drop",
        "after_first_error": "left out",
        "step_separator": "\n",
    }


def test_preference_pairs():
    rows = training("trl_preference").rows(PAIR, Answer({"winner": 1, "all_bad": False}), neutral="")
    says = [{"role": "assistant", "content": "five"}]
    assert rows == [
        {
            "prompt": [{"role": "user", "content": "2+2?"}],
            "chosen": says,
            "rejected": [{"role": "assistant", "content": other}],
        }
        for other in ("four", "six")
    ]
    (first, _) = training("openai_preference").rows(PAIR, Answer({"winner": 1, "all_bad": False}), neutral="")
    assert first == {
        "input": {
            "messages": [{"role": "user", "content": "2+2?"}],
            "tools": [],
            "parallel_tool_calls": True,
        },
        "preferred_output": says,
        "non_preferred_output": [{"role": "assistant", "content": "four"}],
    }


def test_a_ranking_gives_every_pair_that_it_orders():
    ranked = Answer({"winner": 2, "all_bad": False, "ranking": [[2], [0, 1]]})
    rows = training("trl_preference").rows(PAIR, ranked, neutral="")
    assert [(r["chosen"][0]["content"], r["rejected"][0]["content"]) for r in rows] == [
        ("six", "four"),
        ("six", "five"),
    ]


@pytest.mark.parametrize("name", ["trl_preference", "openai_preference"])
def test_a_tie_all_bad_and_set_aside_make_no_pair(name):
    rows = training(name).rows
    assert rows(PAIR, Answer({"winner": None, "all_bad": False}), neutral="") == []
    assert rows(PAIR, Answer({"winner": None, "all_bad": True}), neutral="") == []
    assert rows(PAIR, Answer({"reason": "?"}, "unsure"), neutral="") == []
    assert rows(SOLUTION, critique(1, 1, 1, 1), neutral="") == []


def kto(item, answer):
    return [
        (r["completion"][0]["content"], r["label"]) for r in training("kto").rows(item, answer, neutral="")
    ]


def test_unpaired():
    assert kto(SOLUTION, critique(1, 1, 1, 1, verdict="right")) == [("a\nb\nc\nd", True)]
    assert kto(SOLUTION, critique(1, -1, None, None, verdict="right")) == [("a\nb\nc\nd", False)]
    assert kto(SOLUTION, critique(1, 1, 1, 1, verdict="wrong")) == [("a\nb\nc\nd", False)]
    assert kto(SOLUTION, critique(1, 1, 1, 1)) == []
    assert kto(PAIR, Answer({"winner": 0, "all_bad": False})) == [
        ("four", True),
        ("five", False),
        ("six", False),
    ]
    assert kto(PAIR, Answer({"winner": None, "all_bad": True})) == [
        ("four", False),
        ("five", False),
        ("six", False),
    ]
    assert kto(PAIR, Answer({"winner": None, "all_bad": False})) == []

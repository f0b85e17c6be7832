"""One click, five products: by hand, and that what is counted is what is derived."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.curate.products import Product, line, makes, products, tally
from loop.dialects import dialect_named
from loop.records import (
    Author,
    Branch,
    Critique,
    Mark,
    Message,
    Origin,
    Prompt,
    Response,
    Split,
    Step,
    Verdict,
)

PROMPT = Prompt("1", (Message("user", "Mia has 24 apples, buys 3 bags of 12 and gives 15 away. How many?"),))
CHAT = dialect_named("chat")


def response_of(*lines, pk="r", **values):
    spans, at = [], 0
    for i, text in enumerate(lines):
        spans.append(Step(i, text, at, at + len(text)))
        at += len(text) + 1
    return Response(pk, PROMPT.id, "\n".join(lines), tuple(spans), **values)


RESPONSE = response_of("3 * 12 = 36", "24 + 36 = 50", "50 - 15 = 35", "Answer: 35")


def critique_of(*marks, pk="c", first=None, verdict=None, author=Author.PERSON, **values):
    verdict = verdict or (Verdict.WRONG if first is not None else Verdict.RIGHT)
    given_marks = tuple(None if m is None else Mark(m) for m in marks)
    return Critique(pk, "r", author, given_marks, first, verdict, **values)


MARKED = critique_of(1, -1, None, None, first=1, corrections={1: "24 + 36 = 60"}, comments={1: "Off by ten"})


def rated(critique, *alternatives):
    """The critique with its alternatives: (step, mark, chosen, lines from that step on)."""
    branches, written = [], []
    for n, (step, mark, chosen, *tail) in enumerate(alternatives):
        kept = [s.text for s in RESPONSE.steps[:step]]
        pk = f"b{n}"
        written.append(response_of(*kept, *tail, pk=pk, origin=Origin.CONTINUATION, parent_id="r"))
        branches.append(Branch(step, pk, None if mark is None else Mark(mark), chosen))
    return replace(critique, branches=tuple(branches)), written


def of(made, product):
    return [m for m in made if m.product is product]


def test_one_mark_and_a_correction_make_all_five():
    model = critique_of(1, 1, 1, 1, pk="m", author=Author.MODEL)
    made = products(PROMPT, RESPONSE, MARKED, dialect=CHAT, model_critique=model)
    trajectory, pair, row, labels, point = made
    assert [m.product for m in made] == list(Product)
    assert (trajectory.data["prefix"], trajectory.data["chosen"]) == ("3 * 12 = 36\n", "24 + 36 = 60")
    assert (pair.data["chosen"], pair.data["rejected"], pair.data["prefix"], pair.data["ends"]) == (
        "24 + 36 = 60",
        "24 + 36 = 50",
        "3 * 12 = 36\n",
        False,
    )
    assert row.data["chosen"] == (
        "Step 1: correct\nStep 2: wrong - Off by ten\nCorrection: 24 + 36 = 60\nVerdict: wrong"
    )
    assert labels.data["labels"] == [1, -1]
    assert labels.data["steps"] == ["3 * 12 = 36", "24 + 36 = 50"]
    (start, end), text = labels.data["masked"][0], labels.data["text"]
    assert (text[:start], text[start:end], text[end:]) == ("3 * 12 = 36\n", "24 + 36 = 50", "")
    assert point.data["model"] == {"verdict": "right", "first_error": None}
    assert point.data["person"] == {"verdict": "wrong", "first_error": 1}
    assert (point.data["steps_alike"], point.data["steps_both_judged"]) == (1, 2)
    assert (point.data["same_verdict"], point.data["same_first_error"]) == (False, False)
    assert point.sources == ("c", "m")
    counts = makes([1, -1, None, None], 1, {1: "24 + 36 = 60"}, (), True)
    assert line(counts) == "1 correction · 1 step pair · 1 critic row · 2 step labels · 1 calibration point"


def test_only_the_marked_passage_is_masked():
    (labels,) = of(
        products(PROMPT, RESPONSE, MARKED, dialect=CHAT, spans={1: [(10, 12)]}), Product.STEP_LABELS
    )
    assert [labels.data["text"][a:b] for a, b in labels.data["masked"]] == ["50"]


def test_without_a_better_step_there_is_a_point_to_go_back_to():
    bare = critique_of(1, -1, None, None, first=1)
    made = products(PROMPT, RESPONSE, bare, dialect=CHAT)
    (back,) = of(made, Product.TRAJECTORY)
    assert (back.data["kind"], back.data["prefix"], back.data["step"]) == ("backtrack", "3 * 12 = 36\n", 1)
    assert not of(made, Product.STEP_PAIR)
    assert line(makes([1, -1, None, None], 1, {})) == "1 backtrack point · 1 critic row · 2 step labels"


BARE = critique_of(1, -1, None, None, first=1)


def counted(critique, **values):
    said = [(b.step, b.mark, b.chosen) for b in critique.branches]
    return line(makes(critique.marks, critique.first_error, critique.corrections, said, **values))


def test_what_people_liked_is_a_trajectory_and_every_better_step_beats_every_worse_one():
    critique, written = rated(
        BARE,
        (1, 1, True, "24 + 36 = 60", "60 - 15 = 45", "Answer: 45"),
        (1, 1, False, "36 + 24 = 60", "Answer: 45"),
        (1, -1, False, "24 + 36 = 62"),
        (1, 0, False, "Let us see."),
    )
    made = products(PROMPT, RESPONSE, critique, dialect=CHAT, alternatives=written)
    first, second = of(made, Product.TRAJECTORY)
    assert first.data["chosen"] == "3 * 12 = 36\n24 + 36 = 60\n60 - 15 = 45\nAnswer: 45"
    assert (first.response_id, second.response_id) == ("b0", "b1")
    pairs = {(m.data["chosen"], m.data["rejected"]) for m in of(made, Product.STEP_PAIR)}
    assert pairs == {
        ("24 + 36 = 60", "24 + 36 = 50"),
        ("24 + 36 = 60", "24 + 36 = 62"),
        ("36 + 24 = 60", "24 + 36 = 50"),
        ("36 + 24 = 60", "24 + 36 = 62"),
    }
    assert {m.data["prefix"] for m in of(made, Product.STEP_PAIR)} == {"3 * 12 = 36\n"}
    assert counted(critique).startswith("2 corrections · 4 step pairs")


def test_a_good_step_beats_the_alternatives_to_it_that_are_wrong():
    critique, written = rated(MARKED, (0, -1, False, "3 * 12 = 38"))
    pairs = of(products(PROMPT, RESPONSE, critique, dialect=CHAT, alternatives=written), Product.STEP_PAIR)
    assert {(m.data["prefix"], m.data["chosen"], m.data["rejected"]) for m in pairs} == {
        ("", "3 * 12 = 36", "3 * 12 = 38"),
        ("3 * 12 = 36\n", "24 + 36 = 60", "24 + 36 = 50"),
    }
    assert counted(critique).startswith("1 correction · 2 step pairs")


def test_an_alternative_that_parts_before_the_error_says_nothing_about_the_wrong_step():
    critique, written = rated(BARE, (0, 1, True, "36 is 3 * 12", "36 + 24 = 60", "Answer: 45"))
    made = products(PROMPT, RESPONSE, critique, dialect=CHAT, alternatives=written)
    assert len(of(made, Product.TRAJECTORY)) == 1
    assert of(made, Product.STEP_PAIR) == []
    assert counted(critique) == "1 correction · 1 critic row · 2 step labels"


def test_an_alternative_that_goes_on_from_the_wrong_step_makes_nothing():
    critique, written = rated(BARE, (2, 1, True, "50 - 15 = 35 indeed", "Answer: 35"))
    made = products(PROMPT, RESPONSE, critique, dialect=CHAT, alternatives=written)
    assert [m.data["kind"] for m in of(made, Product.TRAJECTORY)] == ["backtrack"]
    assert counted(critique) == "1 backtrack point · 1 critic row · 2 step labels"


def test_a_right_response_teaches_the_critic_and_the_reward_model():
    made = products(PROMPT, RESPONSE, critique_of(1, 1, 0, 1), dialect=CHAT)
    assert [m.product for m in made] == [Product.CRITIC_ROW, Product.STEP_LABELS]
    assert made[1].data["labels"] == [1, 1, 0, 1]
    assert "masked" not in made[1].data


def test_a_step_left_unsure_gets_no_label_and_teaches_the_critic_nothing():
    unsure = critique_of(None, -1, None, None, first=1)
    made = products(PROMPT, RESPONSE, unsure, dialect=CHAT)
    assert [m.product for m in made] == [Product.TRAJECTORY, Product.STEP_LABELS]
    assert made[1].data["labels"] == [None, -1]


@pytest.mark.parametrize("split", [Split.HELDOUT, Split.PROBE])
def test_what_must_not_be_trained_on_is_measured_only(split):
    prompt = Prompt("2", PROMPT.messages, split)
    model = critique_of(1, -1, None, None, pk="m", first=1, author=Author.MODEL)
    made = products(prompt, RESPONSE, MARKED, dialect=CHAT, model_critique=model)
    assert [m.product for m in made] == [Product.CALIBRATION]
    assert made[0].data["same_first_error"]
    assert line(makes([1, -1, None, None], 1, {}, (), True, trainable=False)) == "1 calibration point"


def test_a_critique_the_model_failed_to_write_is_no_calibration_point():
    broken = critique_of(None, None, None, None, pk="m", verdict=Verdict.UNKNOWN, parsed=False)
    assert not of(
        products(PROMPT, RESPONSE, MARKED, dialect=CHAT, model_critique=broken), Product.CALIBRATION
    )


def test_marks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        products(PROMPT, RESPONSE, critique_of(1), dialect=CHAT)


@st.composite
def answers(draw):
    """A consistent critique of a response with alternatives up to its first error, whose texts all differ,
    or do not."""
    count = draw(st.integers(1, 4))
    distinct = draw(st.booleans())
    first = draw(st.none() | st.integers(0, count - 1))
    before = count if first is None else first
    marks = [draw(st.sampled_from([0, 1, None])) for _ in range(before)]
    marks += [-1] if first is not None else []
    marks += [None] * (count - len(marks))
    verdict = Verdict.WRONG if first is not None else draw(st.sampled_from(list(Verdict)[:3]))
    corrected = draw(st.lists(st.integers(0, count - 1), unique=True))
    corrections = {i: f"better {i if distinct else 0}" for i in corrected}
    lines = [f"step {i}" for i in range(count)]
    branches, written, chosen = [], [], set()
    for n in range(draw(st.integers(0, 4))):
        step = draw(st.integers(0, count - 1 if first is None else first))
        mark = draw(st.sampled_from([-1, 0, 1, None]))
        pick = mark != -1 and step not in chosen and draw(st.booleans())
        chosen |= {step} if pick else set()
        text = f"other {n}" if distinct else "other"
        branches.append(Branch(step, f"b{n}", None if mark is None else Mark(mark), pick))
        written.append(
            response_of(*lines[:step], text, pk=f"b{n}", origin=Origin.CONTINUATION, parent_id="r")
        )
    critique = critique_of(
        *marks, first=first, verdict=verdict, corrections=corrections, branches=tuple(branches)
    )
    return response_of(*lines), critique, written, distinct


@settings(max_examples=300)
@given(answers(), st.booleans(), st.sampled_from(["chat", "terse"]), st.sampled_from(list(Split)))
def test_what_is_counted_is_what_is_derived(answer, with_model, dialect, split):
    response, critique, written, distinct = answer
    model = critique_of(*[1] * len(critique.marks), pk="m", author=Author.MODEL) if with_model else None
    made = products(
        Prompt("1", PROMPT.messages, split),
        response,
        critique,
        dialect=dialect_named(dialect),
        model_critique=model,
        alternatives=written,
    )
    derived = tally(made)
    promised = makes(
        critique.marks,
        critique.first_error,
        critique.corrections,
        [(b.step, b.mark, b.chosen) for b in critique.branches],
        with_model,
        verdict=critique.verdict.value,
        trainable=split is Split.TRAIN,
    )
    if distinct:
        assert derived == promised
        return
    # The same text twice is one row, and no pair with itself.
    texts = (Product.STEP_PAIR, Product.TRAJECTORY)
    assert [c for c in derived if c.product not in texts] == [c for c in promised if c.product not in texts]
    most = {c.product: c.count for c in promised}
    assert all(c.count <= most.get(c.product, 0) for c in derived)

"""Our own lines: what is read, what is refused, and that what goes in comes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.annotate.formats import Answer, FormatError, exchange

PLAIN = exchange("plain")
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
said = words.filter(str.strip)
message = st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": said})
prompts = st.one_of(
    said, st.lists(message, max_size=2).map(lambda ms: [*ms, {"role": "user", "content": "and?"}])
)
subjects = st.one_of(
    st.fixed_dictionaries({"response": said}),
    st.fixed_dictionaries({"steps": st.lists(said, min_size=1, max_size=4)}),
    st.fixed_dictionaries({"candidates": st.lists(said, min_size=2, max_size=4, unique=True)}),
)
labels = st.fixed_dictionaries(
    {"labels": st.dictionaries(words, words, max_size=2)},
    optional={"seconds": st.floats(0, 99), "outcome": st.sampled_from(["give_up", "unsure", "bad_problem"])},
)
beside = st.fixed_dictionaries(
    {},
    optional={
        "reference": st.one_of(said, st.integers(), st.none()),
        "external_id": said,
        "topic": st.one_of(words, st.lists(words, max_size=2)),
    },
)


@given(prompts, subjects, beside, st.one_of(st.just({}), labels))
def test_what_goes_in_comes_out(prompt, subject, more, label):
    row = {"prompt": prompt, **subject, **more, **label}
    item = PLAIN.read(row)
    assert PLAIN.write(item, item.answer) == row


def test_a_response_is_split_as_the_models_own_are():
    item = PLAIN.read({"prompt": " 2+2? ", "response": "2+2=4\nAnswer: 4"})
    assert (item.prompt, item.steps, item.reference) == ("2+2?", ("2+2=4", "Answer: 4"), None)


def test_steps_are_kept_as_they_are():
    item = PLAIN.read({"prompt": "q", "steps": ["a\nb ", "c"], "reference": 4, "labels": {"marks": [1, 0]}})
    assert (item.steps, item.text, item.reference) == (("a\nb ", "c"), "a\nb \nc", "4")
    assert item.answer == Answer({"marks": [1, 0]}, "answered", None)


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"response": "a"}, "prompt"),
        ({"prompt": "", "response": "a"}, "prompt"),
        ({"prompt": [{"role": "boss", "content": "a"}], "response": "a"}, "prompt[0]"),
        ({"prompt": [{"role": "assistant", "content": "a"}], "response": "a"}, "prompt"),
        ({"prompt": "q"}, "response"),
        ({"prompt": "q", "response": "a", "steps": ["a"]}, "steps"),
        ({"prompt": "q", "steps": []}, "steps"),
        ({"prompt": "q", "steps": ["a", 1]}, "steps[1]"),
        ({"prompt": "q", "candidates": ["a", "a"]}, "candidates"),
        ({"prompt": "q", "candidates": list("abcde")}, "candidates"),
        ({"prompt": "q", "response": "a\ud800"}, "response"),
        ({"prompt": "q", "response": "a", "reference": True}, "reference"),
        ({"prompt": "q", "response": "a", "labels": []}, "labels"),
        ({"prompt": "q", "response": "a", "labels": {}, "outcome": "no"}, "outcome"),
        ({"prompt": "q", "response": "a", "labels": {}, "seconds": -1}, "seconds"),
    ],
)
def test_the_key_at_fault_is_named(row, key):
    with pytest.raises(FormatError) as caught:
        PLAIN.read(row)
    assert caught.value.key == key

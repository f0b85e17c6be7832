"""Which steps stand side by side and which words are marked: pure functions, run in the browser."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

STEPS = st.sampled_from(["a b", "a c", "x", "y z", ""])


@pytest.fixture
def call(page, live_server):
    """`call("align", columns)` runs an export of align.js."""
    page.goto(f"{live_server.url}/static/annotate/align.js")
    return lambda name, *values: page.evaluate(
        "async ([name, values]) => (await import('/static/annotate/align.js'))[name](...values)",
        [name, list(values)],
    )


def test_a_step_that_only_one_has_stands_alone_and_the_others_stay_side_by_side(call):
    a = ["3 * 12 = 36", "24 + 36 = 50", "50 - 15 = 35", "Answer: 35"]
    b = ["She has 24 apples.", "3 * 12 = 36", "24 + 36 = 60", "Answer: 60"]
    assert call("align", [a, b]) == [[None, 0], [0, 1], [1, 2], [2, None], [3, 3]]


def test_what_is_unlike_stands_beside_what_it_replaces(call):
    assert call("align", [["one way", "Answer: 5"], ["quite another", "and on", "Answer: 5"]]) == [
        [0, 0],
        [None, 1],
        [1, 2],
    ]


def test_three_and_four_columns(call):
    columns = [["a b", "c d"], ["c d"], ["x y", "a b", "c d"], []]
    assert call("align", columns) == [[None, None, 0, None], [0, None, 1, None], [1, 0, 2, None]]


@pytest.mark.parametrize(
    ("a", "b", "share"),
    [
        ("24 + 36 = 50", "24 + 36 = 60", 0.8),  # 2 * 4 shared of 10
        ("a a b", "a b b", 4 / 6),  # repeats count as often as both have them
        ("", "", 1),
        ("a", "", 0),
    ],
)
def test_likeness_by_hand(call, a, b, share):
    assert call("likeness", a.split(), b.split()) == pytest.approx(share)


def test_words_that_differ_by_hand(call):
    assert call("differing", [["4", "+", "1", "=", "6"], ["4", "+", "1", "=", "5"]]) == [
        [False, False, False, False, True],
        [False, False, False, False, True],
    ]
    # of three, a word counts as soon as one of the others lacks it
    assert call("differing", [["a", "b"], ["a", "b"], ["a", "c"]]) == [
        [False, True],
        [False, True],
        [False, True],
    ]
    # hardly anything in common: all of it
    assert call("differing", [["a", "b", "c", "d", "e", "f", "g", "h"], ["a", *"stuvwxy"]]) == [
        [True] * 8,
        [True] * 8,
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.sampled_from(["a b", "a c", "x", "y z", ""]), max_size=6), min_size=2, max_size=4)
)
def test_every_step_stands_once_and_in_order(call, columns):
    rows = call("align", columns)
    for c, steps in enumerate(columns):
        assert [row[c] for row in rows if row[c] is not None] == list(range(len(steps)))
    assert all(any(i is not None for i in row) for row in rows)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from("abc"), max_size=8))
def test_equal_texts_differ_nowhere_and_align_one_to_one(call, words):
    assert call("differing", [words, words]) == [[False] * len(words)] * 2
    steps = [f"step {n} {word}" for n, word in enumerate(words)]
    assert call("align", [steps, steps]) == [[n, n] for n in range(len(steps))]


def test_a_formula_is_one_word_and_spaces_within_a_run_are_marked_with_it(page, call):
    marked = page.evaluate(
        """async () => {
        const { markDifferences } = await import('/static/annotate/align.js');
        const make = (html) => Object.assign(document.createElement('p'), { innerHTML: html });
        const a = make('so <em>two plus three</em> is <span class="math" data-tex="5">5</span>');
        const b = make('so <em>two and four</em> is <span class="math" data-tex="6">6</span>');
        markDifferences([a, b]);
        return [a.innerHTML, b.innerHTML];
    }"""
    )
    text = (
        'so <em>two <mark class="differs">{}</mark></em> is '
        '<span class="math differs" data-tex="{}">{}</span>'
    )
    assert marked == [text.format("plus three", 5, 5), text.format("and four", 6, 6)]

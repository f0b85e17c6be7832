"""The word diff of a correction: its parts give back both texts, whatever they are."""

import itertools
import random

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WORDS = ["24", "36", "50", "+", "=", "apples", "Mia", "𝑥", "é", " ", "  ", "\n", "."]


@pytest.fixture
def diffs(page, live_server):
    """The diffs of pairs of texts, as the page's own module makes them."""
    page.goto(f"{live_server.url}/sign-in/")

    def make(pairs):
        return page.evaluate(
            "async (pairs) => { const { diff } = await import('/static/annotate/diff.js');"
            " return pairs.map(([a, b]) => diff(a, b)); }",
            pairs,
        )

    return make


def joined(parts, *ops):
    return "".join(part["text"] for part in parts if part["op"] in ops)


def test_any_two_texts_can_be_read_back(diffs):
    draw = random.Random(7)
    texts = ["".join(draw.choices(WORDS, k=draw.randint(0, 12))) for _ in range(400)]
    pairs = [[texts[i], texts[i + 1]] for i in range(0, 400, 2)]
    for (before, after), parts in zip(pairs, diffs(pairs), strict=True):
        assert joined(parts, "same", "gone") == before
        assert joined(parts, "same", "new") == after
        assert all(one["op"] != two["op"] for one, two in itertools.pairwise(parts))


def test_by_hand(diffs):
    same, changed, added, empty = diffs(
        [["2 + 2", "2 + 2"], ["24 + 36 = 50", "24 + 36 = 60"], ["So 4", "So it is 4"], ["", ""]]
    )
    assert same == [{"op": "same", "text": "2 + 2"}]
    assert changed == [
        {"op": "same", "text": "24 + 36 = "},
        {"op": "gone", "text": "50"},
        {"op": "new", "text": "60"},
    ]
    assert (joined(added, "gone"), joined(added, "new").strip()) == ("", "it is")
    assert empty == []


def test_a_very_long_text_is_replaced_as_a_whole(diffs):
    before, after = "a " * 2000, "a " * 2000 + "b"
    assert diffs([[before, after]])[0] == [{"op": "gone", "text": before}, {"op": "new", "text": after}]

"""The mixture of a dataset version: shares, caps, repeats, age, replay and weights."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.curate import mixture as mix
from loop.curate.mixture import Row, apportion, mixture
from loop.curate.staleness import Champions
from loop.recipe import RecipeError, recipe_parse
from loop.recipe_parts import CuratePart

SOURCES = ("verifier", "self_verdict", "people", "scorer")


def row(pk, source="verifier", *, prompt=1, text=None, **values):
    return Row(pk, f"sha{pk}", text or f"text{pk}", "sample", source, prompt, **values)


rows = st.builds(
    lambda pk, source, prompt, text, age, replayed: row(
        pk, source, prompt=prompt, text=f"t{text}", age=age, replayed=replayed
    ),
    st.integers(0, 10**6),
    st.sampled_from(SOURCES),
    st.integers(0, 12),
    st.integers(0, 40),
    st.none() | st.integers(0, 5),
    st.booleans(),
)
many = st.lists(rows, max_size=80, unique_by=lambda r: r.pk)
tenths = st.dictionaries(
    st.sampled_from((*SOURCES, mix.REPLAYED)), st.integers(0, 4).map(lambda n: n / 10), max_size=2
)
parts = st.builds(
    CuratePart,
    max_age=st.none() | st.integers(0, 4),
    max_rows_per_prompt=st.none() | st.integers(1, 5),
    shares=tenths,
    weights=st.dictionaries(st.sampled_from(SOURCES), st.sampled_from([0.5, 1.0, 2.0])),
)


@given(many, parts, st.integers(0, 9))
def test_nothing_is_repeated_or_lost_and_the_order_stays(given_rows, part, seed):
    mixed = mixture(given_rows, part, seed=seed)
    kept = [r.pk for r in mixed.rows]
    assert len(set(kept)) == len(kept)
    assert kept == [r.pk for r in given_rows if r.pk in set(kept)]
    assert len(kept) + sum(mixed.dropped.values()) == len(given_rows)
    texts = Counter((r.kind, r.prompt_id, r.text) for r in mixed.rows)
    assert not texts or max(texts.values()) == 1
    assert all(r.age is None or part.max_age is None or r.age <= part.max_age for r in mixed.rows)
    per_prompt = Counter(r.prompt_id for r in mixed.rows)
    assert part.max_rows_per_prompt is None or all(n <= part.max_rows_per_prompt for n in per_prompt.values())
    assert mixed.weights == {
        r.pk: part.weights[r.source] for r in mixed.rows if part.weights.get(r.source, 1) != 1
    }
    assert mixture(given_rows, part, seed=seed) == mixed


@given(many, tenths, st.integers(0, 9), st.randoms())
def test_shares_hold_within_rounding_and_do_not_depend_on_the_order(given_rows, shares, seed, random):
    distinct = [r._replace(text=f"own{r.pk}") for r in given_rows]
    part = CuratePart(shares=shares)
    mixed = mixture(distinct, part, seed=seed)
    present = {r.source for r in distinct}
    counts = Counter(r.source for r in mixed.rows)
    named = {name: Fraction(str(share)) for name, share in shares.items() if share and name in present}
    rest = 1 - sum(Fraction(str(share)) for share in shares.values())
    if not present - set(shares):
        rest = Fraction(0)
    total = sum(named.values()) + rest
    for name, share in named.items():
        assert abs(counts[name] - len(mixed.rows) * share / total) < 1
    assert mixed.missing == sorted(name for name, share in shares.items() if share and name not in present)
    shuffled = list(distinct)
    random.shuffle(shuffled)
    assert {r.pk for r in mixture(shuffled, part, seed=seed).rows} == {r.pk for r in mixed.rows}


@given(many, st.integers(1, 9), st.integers(0, 9))
def test_at_most_the_wanted_share_is_replayed(given_rows, tenth, seed):
    mixed = mixture(given_rows, CuratePart(replay_share=tenth / 10), seed=seed)
    assert sum(r.replayed for r in mixed.rows) * 10 <= tenth * len(mixed.rows)
    with_all = mixture(given_rows, CuratePart())
    assert [r for r in mixed.rows if not r.replayed] == [r for r in with_all.rows if not r.replayed]


def test_shares_by_hand():
    # 10 of people and 90 of the checker, half each: all of people's and ten of the checker's.
    given_rows = [row(i, "people" if i < 10 else "verifier") for i in range(100)]
    mixed = mixture(given_rows, CuratePart(shares={"people": 0.5}), seed=3)
    assert Counter(r.source for r in mixed.rows) == {"people": 10, "verifier": 10}
    assert mixed.dropped == {mix.THINNED: 80}
    other = mixture(given_rows, CuratePart(shares={"people": 0.5}), seed=4)
    assert {r.pk for r in other.rows} != {r.pk for r in mixed.rows}


def test_the_largest_remainders_get_the_fractions_of_a_row():
    shares = {"a": Fraction("0.5"), "b": Fraction("0.3"), "c": Fraction("0.2")}
    # 7 rows in all because b has 2 and 2 / 0.3 = 6.67, so 6: 3, 1.8, 1.2 -> 3, 2, 1.
    assert apportion({"a": 100, "b": 2, "c": 100}, shares) == {"a": 3, "b": 2, "c": 1}
    assert apportion({"a": 0, "b": 3, "c": 100}, shares) == {"a": 0, "b": 3, "c": 2}
    assert apportion({"a": 0, "b": 0, "c": 0}, shares) == {"a": 0, "b": 0, "c": 0}


def test_of_the_same_text_peoples_word_stays_then_the_new_one():
    same = [
        row(1, "verifier", text="x", replayed=True),
        row(2, "verifier", text="x"),
        row(3, "people", text="x", replayed=True),
        row(4, "verifier", text="x", prompt=2),
    ]
    assert [r.pk for r in mixture(same, CuratePart()).rows] == [3, 4]
    assert [r.pk for r in mixture(same[:2], CuratePart()).rows] == [2]


def test_the_cap_counts_a_prompts_rows_over_kinds_and_replay():
    mine = [
        row(1, replayed=True),
        row(2),
        row(3)._replace(kind="trajectory"),
        row(4, "people", replayed=True),
    ]
    mixed = mixture(mine, CuratePart(max_rows_per_prompt=2))
    assert [r.pk for r in mixed.rows] == [2, 4]
    assert mixed.dropped == {mix.TOO_MANY: 2}


def test_old_and_leaked_rows_go_and_the_histogram_names_who_does_not_age():
    mine = [row(1, age=0), row(2, age=1), row(3, age=2), row(4), row(5, by_person=True), row(6, prompt=9)]
    mixed = mixture(mine, CuratePart(max_age=1), leaked={9})
    assert mixed.dropped == {mix.LEAKED: 1, mix.TOO_OLD: 1}
    assert mixed.facts()["ages"] == {"0": 1, "1": 1, "people": 1, "unknown": 1}
    assert list(mixed.facts()["ages"]) == ["0", "1", "people", "unknown"]


def test_ages_by_hand():
    # base 1, promoted 2, promoted 3, rolled back to 2.
    champions = Champions([1, 2, 3, 2])
    assert champions.ages(2, [(1, 1), (2, 1), (3, 2)]) == {1: 3, 2: 0, 3: 1}
    assert champions.ages(3, [(1, 1), (2, 1), (3, 2)]) == {1: 2, 2: 1, 3: 0}
    # 7 was held when 2 was in use: never champion, so never current.
    assert champions.ages(3, [(7, 2)]) == {7: 1}
    assert champions.ages(2, [(7, 4)]) == {7: 1}
    assert champions.ages(2, [(7, 1)]) == {7: 3}


@pytest.mark.parametrize(
    ("curate", "says"),
    [
        ({"shares": {"people": 0.7, "verifier": 0.4}}, "together they must not exceed 1"),
        ({"shares": {"people": -0.1}}, "each must lie within 0 and 1"),
        ({"shares": {"people": 0.5}, "replay_share": 0.3}, "give the share of what is replayed in shares"),
        ({"weights": {"people": -1}}, "not negative"),
        ({"shares": {"someone": 0.5}}, "someone"),
    ],
)
def test_settings_that_cannot_hold_are_refused(curate, says):
    with pytest.raises(RecipeError, match=says):
        recipe_parse({**RECIPE, "curate": curate}, "x")


RECIPE = {
    "name": "x", "version": 1, "title": "x", "summary": "x", "method": "rest_em",
    "feedback_source": "verifier", "uses_gold_at": "data",
}  # fmt: skip


def test_shares_are_taken_as_written():
    tenths_ = {"people": 0.1, "verifier": 0.2, "scorer": 0.7}  # as floats they sum to just below 1
    assert CuratePart(shares=tenths_).shares == tenths_

"""Which weights may go, over lineages of every shape: never one that something kept was trained from."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from webapp.registry.keeping import SPENT, Weights, ancestors, removable

NOW = datetime(2026, 6, 1, tzinfo=UTC)
STATUSES = ["challenger", "champion", "held", "retired", "control", "registered"]


def weights(pk, parent=None, status="held", days=100, path=None):
    return Weights(pk, parent, status, NOW - timedelta(days=days), f"a{pk}" if path is None else path)


def gone(*versions, pinned=(), shared=()):
    return removable(versions, before=NOW - timedelta(days=90), pinned=set(pinned), shared=set(shared))


def test_only_old_held_and_control_ones_go():
    assert gone(*(weights(i, status=s) for i, s in enumerate(STATUSES))) == {2, 4}
    assert gone(weights(1, days=89), weights(2, days=91)) == {2}
    assert gone(weights(1, path="")) == set()  # gone already


def test_what_a_kept_one_was_trained_from_stays_however_far_back():
    line = [weights(1), weights(2, 1), weights(3, 2, path=""), weights(4, 3, "champion"), weights(5, 2)]
    assert gone(*line) == {5}


def test_a_line_of_which_nothing_is_kept_goes_whole():
    assert gone(weights(1), weights(2, 1), weights(3, 2, "control")) == {1, 2, 3}


def test_pinned_ones_stay_with_what_they_came_from():
    assert gone(weights(1), weights(2, 1), weights(3), pinned=[2]) == {3}


def test_a_folder_that_a_kept_version_has_too_stays_with_everything_above_it():
    assert gone(weights(1), weights(2, 1, path="x"), weights(3, None, "champion", path="x")) == set()
    assert gone(weights(1, path="y"), weights(2), shared=["y"]) == {2}


@st.composite
def lineages(draw):
    made = []
    for pk in range(draw(st.integers(1, 14))):
        parent = draw(st.none() | st.sampled_from(range(pk))) if pk else None
        path = draw(st.sampled_from(["", f"a{pk}", f"a{pk}", "both"]))
        made.append(weights(pk, parent, draw(st.sampled_from(STATUSES)), draw(st.integers(0, 180)), path))
    return made


@given(lineages(), st.sets(st.integers(0, 13)), st.sets(st.sampled_from(["both", "a1", "a2"])))
def test_nothing_that_a_lineage_needs_is_touched(line, pinned, shared):
    by_pk = {v.pk: v for v in line}
    out = removable(line, before=NOW - timedelta(days=90), pinned=pinned, shared=shared)
    for pk in out:
        v = by_pk[pk]
        assert v.status in SPENT
        assert v.made < NOW - timedelta(days=90)
        assert pk not in pinned
        assert v.path
        assert v.path not in shared
    kept = [v for v in line if v.pk not in out and (v.path or v.pk in pinned)]
    for v in kept:
        assert not ancestors(v, by_pk) & out
        assert all(by_pk[pk].path != v.path for pk in out) or not v.path
    # Nor does more stay than must: what could go alone is not kept for nothing.
    for v in kept:
        if v.status in SPENT and v.made < NOW - timedelta(days=90) and v.pk not in pinned and v.path:
            reasons = [w for w in kept if w.pk != v.pk and (v.pk in ancestors(w, by_pk) or w.path == v.path)]
            assert reasons or v.path in shared

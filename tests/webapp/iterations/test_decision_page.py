"""What the decision's page is made of: slices with their bars, failing prompts, and older decisions."""

from webapp.iterations.decision_page import LISTED, evidence, failing, guards, sides, slices
from webapp.iterations.models import Iteration


def decided(**decision):
    return Iteration(number=1, decision=decision)


def one(by, name, before, after, **values):
    return {"by": by, "name": name, "before": before, "after": after, "n": 40, "p_value": 1.0} | {
        "broken": False,
        **values,
    }


def test_a_broken_slice_comes_first_and_bars_point_away_from_no_change():
    rows = slices(
        decided(
            slices=[
                one("length", "low", 0.5, 0.6),
                one("tag", "money", 0.9, 0.4, broken=True),
                one("tag", "time", 0.5, 0.5),
            ]
        )
    )
    assert [(r.by, r.name) for r in rows] == [
        ("Tag", "money"),
        ("Prompt length", "shortest third"),
        ("Tag", "time"),
    ]
    assert [(r.bar_x, r.bar_width) for r in rows] == [(0, 50), (50, 25), (50, 0)]


def test_of_many_failing_prompts_the_first_are_named_and_unpaired_ones_apart():
    lost = list(range(LISTED + 5))
    found = failing(decided(failing={"lost": lost, "unpaired": [7]}))
    assert found == [("lost", lost[:LISTED], 5), ("unpaired", [7], 0)]
    assert failing(decided(failing={"lost": [], "unpaired": []})) == []


def test_decisions_made_before_all_this_was_kept_are_shown_as_they_are():
    old = decided(promote=True, guards={"probe accuracy": {"before": 0.5, "after": 0.6}})
    assert (sides(old), slices(old), failing(old)) == ([], [], [])
    assert [(str(g["name"]), g["after"]) for g in guards(old)] == [("Probe accuracy", 0.6)]
    assert evidence(decided()) == {}

"""Held-out prompts wear out: slices are used in turn, new prompts make the gate usable again."""

from collections import Counter

from loop.promote.rotation import choose, slice_of

FAMILIES = {n: f"family-{n}" for n in range(400)}


def test_slices_are_stable_and_about_equal():
    cut = Counter(slice_of(f, 4) for f in FAMILIES.values())
    assert set(cut) == {0, 1, 2, 3}
    assert min(cut.values()) > 70
    assert slice_of("family-7", 4) == slice_of("family-7", 4)


def test_every_slice_in_turn_until_all_are_used_up():
    uses: Counter[int] = Counter()
    order = []
    for _ in range(8):
        chosen = choose(FAMILIES, uses, slices=4, budget=2, limit=1000)
        order.append((chosen.number, chosen.uses))
        assert {slice_of(FAMILIES[pk], 4) for pk in chosen.ids} == {chosen.number}
        uses.update(chosen.ids)
    assert order == [(n, u) for u in (0, 1) for n in range(4)]
    over = choose(FAMILIES, uses, slices=4, budget=2, limit=1000)
    assert (over.exhausted, over.ids, over.worn) == (True, (), 400)
    fresh = choose({**FAMILIES, 999: "new"}, uses, slices=4, budget=2, limit=1000)
    assert (fresh.ids, fresh.number, fresh.exhausted) == ((999,), slice_of("new", 4), False)


def test_without_slices_and_budget_everything_is_used_each_time():
    chosen = choose(FAMILIES, {1: 70}, slices=1, budget=None, limit=10)
    assert (chosen.ids, chosen.uses, chosen.of) == (tuple(range(10)), 70, 1)


def test_no_prompts_is_not_the_same_as_used_up():
    assert not choose({}, {}, slices=3, budget=1, limit=10).exhausted

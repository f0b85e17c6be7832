"""What people are asked first: every policy by hand, and what must hold for all of them."""

from collections import Counter
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.annotate.order import (
    NO_CONFIDENCE,
    Askable,
    choose,
    confidence,
    policies,
    policy_names,
    with_control,
)
from loop.records import Response, Verdict

R, W, U = Verdict.RIGHT, Verdict.WRONG, Verdict.UNKNOWN

ITEMS = [
    Askable("sure-right", "p1", R, -0.1),
    Askable("unsure-right", "p2", R, -2.0),
    Askable("unsure-wrong", "p1", W, -2.0),
    Askable("sure-wrong", "p1", W, -0.1),
    Askable("other-wrong", "p3", W, -3.0),
    Askable("undecided", "p3", U, -1.0),
    Askable("unasked", "p2", None, -0.5),
]


def names(items: list[Askable]) -> list[str]:
    return [i.response_id for i in items]


def one_each(**known) -> list[Askable]:
    """One response of a prompt of its own for each name, with what is known of it."""
    return [Askable(name, f"prompt of {name}", **more) for name, more in known.items()]


# -------------------------------------------------------------------------------------------- by hand
def test_convincing_wrong_first_and_prompts_take_turns():
    assert names(choose(ITEMS, "convincing_wrong", 9, 0)) == [
        "sure-wrong",
        "other-wrong",  # p1 has had its turn
        "unsure-wrong",
        "unasked",
        "undecided",
        "unsure-right",
        "sure-right",
    ]


def test_convincing_is_what_has_a_high_score_where_there_is_one_and_the_checker_has_the_word():
    items = one_each(
        low={"checker": W, "score": 0.2, "confidence": -0.1},
        high={"checker": W, "verdict": R, "score": 0.9, "confidence": -5.0},
        unscored={"checker": W, "confidence": -0.01},
        right_high={"checker": R, "score": 0.8},
        right_low={"checker": R, "verdict": W, "score": 0.3},
    )
    expected = ["high", "low", "unscored", "right_low", "right_high"]
    assert names(choose(items, "convincing_wrong", 9, 0)) == expected


def test_uncertainty_by_hand():
    items = one_each(
        silent={"confidence": NO_CONFIDENCE},
        sure={"score": 0.99, "confidence": -9.0},
        mumbling={"confidence": -2.0},
        torn={"score": 0.45},
        fluent={"confidence": -0.2},
        doubting={"score": 0.3},
    )
    expected = ["torn", "doubting", "sure", "mumbling", "fluent", "silent"]
    assert names(choose(items, "uncertainty", 9, 0)) == expected


def test_disagreement_by_hand():
    items = one_each(
        agreed={"judge": R, "checker": R, "score": 0.9},
        barely_agreed={"judge": R, "checker": R, "score": 0.55},
        judge_alone={"judge": W, "checker": U},
        fooled={"judge": R, "checker": W, "score": 0.95},  # convincing and wrong
        nearly_fooled={"judge": R, "checker": W, "score": 0.6},
        doubted={"judge": W, "checker": R, "score": 0.1},
    )
    expected = ["fooled", "doubted", "nearly_fooled", "judge_alone", "barely_agreed", "agreed"]
    assert names(choose(items, "disagreement", 9, 0)) == expected


def test_the_hardest_prompts_first_and_none_of_them_fills_the_list():
    items = [
        Askable("never-1", "never", tail=1.0),
        Askable("never-2", "never", tail=1.0),
        Askable("easy", "easy", tail=0.1),
        Askable("unknown", "unknown"),
        Askable("rarely", "rarely", tail=0.9),
    ]
    order = names(choose(items, "hardest_tail", 9, 0))
    assert {order[0], order[3]} == {"never-1", "never-2"}
    assert [order[1], order[2], order[4]] == ["rarely", "easy", "unknown"]


def test_what_was_judged_differently_first():
    items = one_each(settled={"variance": 0.0}, new={}, split={"variance": 0.5}, mostly={"variance": 0.2})
    assert names(choose(items, "historical_variance", 9, 0)) == ["split", "mostly", "settled", "new"]


def test_random_visits_every_prompt_before_any_twice():
    assert {i.prompt_id for i in choose(ITEMS, "random", 3, 4)} == {"p1", "p2", "p3"}


def test_first_come_is_as_it_came():
    assert choose(ITEMS, "first_come", 9, 7) == ITEMS


# ------------------------------------------------------------------------------------------ all of them
VERDICTS = st.none() | st.sampled_from(Verdict)
SHARES = st.none() | st.floats(0, 1)
ASKABLES = st.lists(
    st.builds(
        Askable,
        response_id=st.uuids().map(str),
        prompt_id=st.sampled_from("abc"),
        verdict=VERDICTS,
        confidence=st.just(NO_CONFIDENCE) | st.floats(-20, 0),
        judge=VERDICTS,
        checker=VERDICTS,
        score=SHARES,
        variance=SHARES,
        tail=SHARES,
    ),
    max_size=12,
    unique_by=lambda a: a.response_id,
)


@given(ASKABLES, st.sampled_from(policy_names()), st.integers(), st.integers(0, 15))
def test_every_policy_is_a_permutation_decided_by_its_seed(items, order, seed, take):
    everything = choose(items, order, len(items), seed)
    assert Counter(everything) == Counter(items)
    assert choose(items, order, take, seed) == everything[:take]


@given(ASKABLES, st.sampled_from(policy_names()), st.integers(0, 99))
def test_what_a_policy_does_not_read_does_not_move_anything(items, order, seed):
    reads = next(p.reads for p in policies() if p.name == order)
    unread = {"verdict", "confidence", "judge", "checker", "score", "variance", "tail"} - set(reads)
    blank = Askable("", "")
    blanked = [replace(item, **{name: getattr(blank, name) for name in unread}) for item in items]
    assert names(choose(blanked, order, 15, seed)) == names(choose(items, order, 15, seed))


def test_every_policy_says_what_it_is_and_what_it_reads():
    known = {f.name for f in fields(Askable)}
    assert [p.name for p in policies()] == [
        "convincing_wrong",
        "disagreement",
        "first_come",
        "hardest_tail",
        "historical_variance",
        "random",
        "uncertainty",
    ]
    for policy in policies():
        assert set(policy.reads) <= known
        assert policy.help.endswith(".")
        assert len(policy.help) < 90
    reading = {p.name for p in policies() if p.reads_checker}
    assert reading == {"convincing_wrong", "disagreement", "hardest_tail"}


def test_an_unknown_order_is_an_error():
    with pytest.raises(LookupError, match=r"'hardest'.*convincing_wrong, disagreement, first_come"):
        choose(ITEMS, "hardest", 1, 0)
    with pytest.raises(LookupError):
        choose(ITEMS, "_turns", 1, 0)


def test_confidence_is_the_mean_log_probability():
    assert confidence(Response("r", "p", "x", (), logprobs=(-1.0, -3.0))) == -2.0
    assert confidence(Response("r", "p", "x", ())) == NO_CONFIDENCE


# -------------------------------------------------------------------------------------- control slice
MANY = [Askable(f"r{i:03}", f"p{i:03}", W if i % 2 else R, -i / 10) for i in range(100)]


def test_a_control_slice_is_spread_evenly_and_the_rest_keeps_its_order():
    ordered = choose(MANY, "convincing_wrong", 100, 0)
    mixed = with_control(ordered, 0.25, 7, take=20)
    assert [place for place, item in enumerate(mixed) if item.control] == [3, 7, 11, 15, 19]
    slice_ = {i.response_id for i in mixed if i.control}
    rest = [name for name in names(ordered) if name not in slice_]
    assert [i.response_id for i in mixed if not i.control] == rest[:15]


def test_the_slice_does_not_depend_on_the_policy():
    slices = [
        [i.response_id for i in with_control(choose(MANY, name, 100, 0), 0.3, 7, take=30) if i.control]
        for name in policy_names()
    ]
    assert len(slices[0]) == 9
    assert all(s == slices[0] for s in slices)


def test_the_slice_is_a_sample_of_everything_also_of_what_the_policy_took():
    # half of the pool is wrong and the policy takes wrong ones only: so must half of the slice be
    ordered = choose(MANY, "convincing_wrong", 100, 0)
    wrong = total = 0
    for seed in range(400):
        control = [i for i in with_control(ordered, 0.5, seed, take=40) if i.control]
        wrong, total = wrong + sum(i.verdict is W for i in control), total + len(control)
    assert wrong / total == pytest.approx(0.5, abs=0.02)


def test_one_response_per_prompt_over_both_slices():
    eight = [Askable(f"{p}-{i}", p, W if i == 0 else R) for p in "abcdefghij" for i in range(8)]
    wrong = [a for a in choose(eight, "convincing_wrong", 80, 0) if a.verdict is W]
    mixed = with_control(wrong, 0.5, 3, take=8, per_prompt=True, pool=eight)
    assert len({i.prompt_id for i in mixed}) == len(mixed) == 8
    assert [i.verdict for i in mixed if not i.control] == [W] * 4
    drawn = Counter(
        i.verdict
        for seed in range(300)
        for i in with_control(wrong, 0.5, seed, take=8, per_prompt=True, pool=eight)
        if i.control
    )
    assert drawn[W] / drawn.total() == pytest.approx(1 / 8, abs=0.04)  # as in the pool


@pytest.mark.parametrize(("per_prompt", "expected"), [(True, 1 / 2), (False, 9 / 10)])
def test_a_prompt_with_many_responses_weighs_more_only_where_responses_are_drawn(per_prompt, expected):
    pool = [Askable(f"r{i}", "big" if i else "small") for i in range(10)]
    firsts = [with_control(pool, 1, seed, take=1, per_prompt=per_prompt)[0].prompt_id for seed in range(2000)]
    assert firsts.count("big") / 2000 == pytest.approx(expected, abs=0.03)


def test_where_the_policy_has_too_little_the_draw_fills_up():
    mixed = with_control(MANY[1:3], 0.5, 0, take=20, pool=MANY)
    assert len(mixed) == len(set(names(mixed))) == 20
    assert sum(i.control for i in mixed) == 10
    assert {"r001", "r002"} <= set(names(mixed))


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="share"):
        with_control(MANY, share, 0)


@given(ASKABLES, st.floats(0, 1), st.integers(), st.integers(0, 15))
def test_a_slice_is_a_permutation_with_its_share_in_every_beginning(items, share, seed, take):
    mixed = with_control(items, share, seed)
    assert Counter(names(mixed)) == Counter(names(items))
    part = with_control(items, share, seed, take=take)
    assert len(part) == min(take, len(items))
    size = round(len(part) * share)
    assert sum(i.control for i in part) == size
    for end in range(1, len(part) + 1):
        assert abs(sum(i.control for i in part[:end]) - end * size / len(part)) < 1
    if share == 0:
        assert mixed == items

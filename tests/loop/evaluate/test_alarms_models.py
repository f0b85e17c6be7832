"""Alarms over what the model became, at and beside their limits."""

import pytest

from tests.loop.evaluate.alarming import metric, text, turn

GAIN, FLAT, FALL = (0.05, 0.02, 0.08), (0.0, -0.03, 0.03), (-0.1, -0.14, -0.06)
LIKELY = (0.08, -0.001, 0.16)  # a gain that only chance could deny


# ---- collapse

START = {"champion_distinct_2": (0.4, 0.38, 0.42)}  # a tenth of it: 4 points
SIGNS = {
    "distinct_2_change": (-0.05, -0.06, -0.041),
    "repeated_4grams_change": (0.2, 0.011, 0.3),
    "unreadable_change": (0.1, 0.011, 0.15),
}
HARDLY = {
    "distinct_2_change": (-0.05, -0.06, -0.04),
    "repeated_4grams_change": (0.2, 0.01, 0.3),
    "unreadable_change": (0.1, 0.01, 0.15),
}


@pytest.mark.parametrize("sign", SIGNS)
def test_worse_and_poorer_is_a_collapse(sign):
    poorer = {**START, sign: SIGNS[sign]}
    assert metric("collapse", turn(heldout_gain=FALL, **poorer)) == "heldout_gain"
    assert text("collapse", turn(heldout_gain=FLAT, **poorer)) is None
    assert text("collapse", turn(**poorer)) is None
    assert text("collapse", turn(heldout_gain=FALL, **START, **{sign: HARDLY[sign]})) is None


def test_worse_alone_is_none():
    assert text("collapse", turn(heldout_gain=FALL)) is None
    assert text("collapse", turn(heldout_gain=FALL, distinct_2_change=SIGNS["distinct_2_change"])) is None


def test_collapse_names_its_signs():
    named = {**START, **SIGNS}
    del named["repeated_4grams_change"]
    assert text("collapse", turn(heldout_gain=FALL, **named)) == (
        "The challenger is worse on held-out prompts: −10.0 points (95 % −14.0 to −6.0)."
        " Its answers vary less: distinct-2 −5.0 points (95 % −6.0 to −4.1)."
        " More of its answers cannot be read: +10.0 points (95 % 1.1 to 15.0)."
    )


def slow(distinct, gain=FLAT):
    return turn(heldout_gain=gain, challenger_distinct_2=distinct)


def test_a_slow_collapse_is_measured_against_the_start():
    """0.7 of 0.5 is 0.35; twice in a row below it, without a gain."""
    start = turn(champion_distinct_2=(0.5, 0.45, 0.55))
    low, limit = (0.3, 0.28, 0.34), (0.3, 0.28, 0.35)
    assert metric("collapse", slow(low), [start, slow(low)]) == "challenger_distinct_2"
    assert text("collapse", slow(limit), [start, slow(low)]) is None
    assert text("collapse", slow(low), [start, slow(limit)]) is None
    assert text("collapse", slow(low), [start, slow(low, GAIN)]) is None  # shorter and better is no collapse
    assert text("collapse", slow(low), [slow(low)]) is None
    assert text("collapse", slow(low), [start, slow(low)], limit=0.5) is None


# ---- length and reward


def test_longer_answers_that_are_not_righter():
    longer = (1.4, 1.3, 1.5)
    assert metric("length_hacking", turn(tokens_ratio=longer, heldout_gain=FLAT)) == "tokens_ratio"
    assert text("length_hacking", turn(tokens_ratio=longer, heldout_gain=GAIN)) is None
    assert text("length_hacking", turn(tokens_ratio=(1.25, 1.2, 1.3), heldout_gain=FLAT)) is None
    assert text("length_hacking", turn(tokens_ratio=longer)) is None


@pytest.mark.parametrize(
    ("gain", "none"),
    [
        (FALL, True),
        (FLAT, True),
        (LIKELY, False),
        ((0.01, -0.001, 0.019), True),  # surely too small to matter
        ((0.01, -0.001, 0.02), False),
    ],
)
def test_without_a_gain_is_known_not_only_not_unknown(gain, none):
    longer = (1.4, 1.3, 1.5)
    assert bool(text("length_hacking", turn(tokens_ratio=longer, heldout_gain=gain))) is none
    assert bool(text("length_hacking", turn(kept_tokens_ratio=longer, kept_gain=gain))) is none
    assert (
        bool(text("chosen_falls", turn(heldout_gain=gain, chosen_logprob_change=(-1.5, None, None)))) is none
    )


def test_keeping_the_longer_ones_that_are_not_righter():
    kept = {"kept_tokens_ratio": (1.5, 1.4, 1.6), "kept_gain": (-0.01, -0.03, 0.01)}
    assert metric("length_hacking", turn(**kept)) == "kept_tokens_ratio"
    assert metric("length_hacking", turn("self_verdict", gv_gap=FLAT, **kept)) == "kept_tokens_ratio"
    # What accepts knows right from wrong; that the kept are longer comes of dropping repeats.
    assert text("length_hacking", turn("self_verdict", gv_gap=GAIN, **kept)) is None
    assert text("length_hacking", turn(**{**kept, "kept_gain": GAIN})) is None
    assert text("length_hacking", turn("self_verdict", **kept)) is None


def test_a_score_that_follows_length():
    kept = {"kept_tokens_ratio": (1.1, 1.01, 1.2), "kept_gain": FALL, "gv_gap": FALL}
    pays = {"length_score:self_verdict": (0.8, 0.51, 0.9)}
    assert metric("length_hacking", turn("self_verdict", **kept, **pays)) == "length_score:self_verdict"
    assert text("length_hacking", turn("self_verdict", **kept)) is None
    assert text("length_hacking", turn("reward", **kept, **pays)) is None  # not what accepts
    hardly = {"length_score:self_verdict": (0.8, 0.5, 0.9)}
    assert text("length_hacking", turn("self_verdict", **kept, **hardly)) is None
    assert text("length_hacking", turn("self_verdict", **{**kept, "gv_gap": GAIN}, **pays)) is None
    no_longer = {**kept, "kept_tokens_ratio": (1.1, 1.0, 1.2)}
    assert text("length_hacking", turn("self_verdict", **no_longer, **pays)) is None


def test_a_proxy_that_prefers_what_is_wrong():
    both = {"kept_gain": FALL, "gv_gap": FALL}
    assert metric("reward_hacking", turn("reward", **both)) == "kept_gain"
    assert text("reward_hacking", turn(**both)) is None  # a checker accepted
    assert text("reward_hacking", turn("reward", kept_gain=FALL, gv_gap=FLAT)) is None
    assert text("reward_hacking", turn("reward", **both), limit=0.06) is None  # at the limit


def proxy(rate, right, acceptor="self_verdict"):
    def near(x):
        return x, x - 0.02, x + 0.02

    return turn(acceptor, kept_rate=near(rate), samples_right=near(right))


def test_a_proxy_that_rises_twice_while_the_truth_falls():
    up = [proxy(0.3, 0.6), proxy(0.4, 0.55)]
    assert metric("reward_hacking", proxy(0.5, 0.5), up) == "samples_right"
    assert text("reward_hacking", proxy(0.5, 0.56), up) is None  # the truth rose again
    assert text("reward_hacking", proxy(0.4, 0.5), up) is None  # the proxy stood still
    assert text("reward_hacking", proxy(0.5, 0.5), up[1:]) is None
    assert text("reward_hacking", proxy(0.5, 0.5), [proxy(0.3, 0.6, "reward"), up[1]]) is None


# ---- forgetting, diversity, preference training


def test_forgetting_by_more_than_two_points():
    assert text("forgetting", turn(forgetting=(0.06, 0.021, 0.1))) == (
        "On the probe prompts the challenger is 6.0 points (95 % 2.1 to 10.0) below the best earlier version."
    )
    assert text("forgetting", turn(forgetting=(0.06, 0.02, 0.1))) is None


def passes(one, k, sampling=""):
    return turn(sampling=sampling, pass_at_1=(one, one - 0.01, one + 0.01), pass_at_k=(k, k - 0.01, k + 0.01))


def test_fewer_solutions_while_the_first_gets_better():
    past = [passes(0.5, 0.9), passes(0.6, 0.87)]
    assert metric("diversity_loss", passes(0.7, 0.84), past) == "pass_at_k"
    assert text("diversity_loss", passes(0.7, 0.87), past) is None  # did not fall again
    assert text("diversity_loss", passes(0.6, 0.84), past) is None  # pass@1 did not rise again
    assert text("diversity_loss", passes(0.7, 0.84), past[1:]) is None
    assert text("diversity_loss", passes(0.7, 0.84, "hotter"), past) is None
    assert (
        text("diversity_loss", passes(0.62, 0.899), [passes(0.6, 0.901), passes(0.61, 0.9)]) is None
    )  # chance


def test_the_better_side_falls_and_nothing_is_gained():
    fall = {"chosen_logprob_change": (-1.5, None, None, 12)}
    assert "by 1.50 nats" in text("chosen_falls", turn(heldout_gain=FLAT, **fall))
    assert text("chosen_falls", turn(heldout_gain=GAIN, **fall)) is None
    assert text("chosen_falls", turn(heldout_gain=FLAT, chosen_logprob_change=(-1.0, None, None, 12))) is None
    assert text("chosen_falls", turn(**fall)) is None

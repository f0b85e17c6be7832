"""Who may filter alone, by hand: every need with its whole interval, or there is not enough evidence."""

import pytest

from loop.evaluate.alarms.rule import Seen
from loop.evaluate.trust import NEEDS, Answer, Kind, State, licence

GOOD_CRITIC = {
    "critic_balanced_accuracy": Seen(0.72, 0.66, 0.78, 200),
    "critic_tnr": Seen(0.70, 0.61, 0.79, 100),
    "critic_agrees_with_people": Seen(0.75, 0.66, 0.82, 90),
    "critic_unparsed": Seen(0.03, 0.01, 0.06, 200),
}
GOOD_JUDGE = {
    "judge_agrees_with_people": Seen(0.8, 0.7, 0.88, 80),
    "judge_flips": Seen(0.08, 0.04, 0.13, 120),
    "judge_first_bias": Seen(0.52, 0.44, 0.6, 120),
    "judge_length_bias": Seen(0.55, 0.47, 0.63, 110),
}


def states(found):
    return {f.need.name: f.state for f in found.findings}


def test_a_critic_that_keeps_every_limit_with_its_whole_interval_may_filter_alone():
    found = licence(Kind.CRITIC, GOOD_CRITIC)
    assert found.answer is Answer.YES
    assert set(states(found).values()) == {State.HOLDS}


@pytest.mark.parametrize(
    ("name", "seen", "state", "answer"),
    [
        ("critic_balanced_accuracy", Seen(0.63, 0.58, 0.68, 200), State.UNSURE, Answer.UNKNOWN),  # across 0.6
        ("critic_balanced_accuracy", Seen(0.52, 0.47, 0.57, 200), State.BROKEN, Answer.NO),
        ("critic_balanced_accuracy", Seen(0.6, 0.6, 0.6, 200), State.UNSURE, Answer.UNKNOWN),  # on the limit
        ("critic_tnr", Seen(0.1, 0.05, 0.18, 100), State.BROKEN, Answer.NO),  # a rubber stamp
        ("critic_tnr", Seen(0.9, 0.7, 1.0, 29), State.FEW, Answer.UNKNOWN),
        ("critic_agrees_with_people", None, State.MISSING, Answer.UNKNOWN),
        ("critic_agrees_with_people", Seen(None, n=90), State.MISSING, Answer.UNKNOWN),
        ("critic_unparsed", Seen(0.3, 0.25, 0.36, 200), State.BROKEN, Answer.NO),
    ],
)
def test_one_need_that_does_not_hold_decides(name, seen, state, answer):
    values = {k: v for k, v in (GOOD_CRITIC | {name: seen}).items() if v is not None}
    found = licence(Kind.CRITIC, values)
    assert (states(found)[name], found.answer) == (state, answer)
    assert [f.need.name for f in found.because] == [name]


def test_a_broken_need_outweighs_missing_ones():
    found = licence(Kind.JUDGE, {"judge_flips": Seen(0.4, 0.3, 0.5, 60)})
    assert found.answer is Answer.NO
    assert [f.need.name for f in found.because] == ["judge_flips"]


def test_a_bias_counts_to_either_side():
    last = GOOD_JUDGE | {"judge_first_bias": Seen(0.2, 0.12, 0.29, 120)}  # prefers what stands last
    assert licence(Kind.JUDGE, last).answer is Answer.NO


def test_self_preference_counts_only_where_it_was_measured():
    assert licence(Kind.JUDGE, GOOD_JUDGE).answer is Answer.YES
    own = GOOD_JUDGE | {"judge_self_preference": Seen(0.7, 0.6, 0.8, 50)}
    assert licence(Kind.JUDGE, own).answer is Answer.NO
    unclear = GOOD_JUDGE | {"judge_self_preference": Seen(0.5, 0.3, 0.7, 12)}
    assert licence(Kind.JUDGE, unclear).answer is Answer.UNKNOWN


def test_each_scorer_has_figures_of_its_own():
    values = {
        "auroc:reward": Seen(0.8, 0.75, 0.85, 300), "ece:reward": Seen(0.05, 0.03, 0.09, 300),
        "auroc:logprob": Seen(0.5, 0.45, 0.55, 300), "ece:logprob": Seen(0.05, 0.03, 0.09, 300),
    }  # fmt: skip
    assert licence(Kind.SCORER, values, "reward").answer is Answer.YES
    assert licence(Kind.SCORER, values, "logprob").answer is Answer.NO


def test_without_figures_nobody_is_licensed():
    assert {licence(kind, {}).answer for kind in Kind} == {Answer.UNKNOWN}
    assert set(NEEDS) == set(Kind)

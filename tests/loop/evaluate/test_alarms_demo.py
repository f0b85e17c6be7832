"""Figures of a run of `./run demo --dashboards` (seed 0): alarms for its two bad iterations alone."""

from loop.evaluate.alarms import RULES, fired
from tests.loop.evaluate.alarming import turn

CHAMPION = (0.1475, 0.1408, 0.1531, 600)
REST_EM = turn(
    samples_right=(0.6308, 0.5875, 0.6758, 300), kept_gain=(0.3692, 0.3242, 0.4125, 265),
    kept_rate=(0.1133, 0.1079, 0.1187, 300), kept_tokens_ratio=(1.0132, 0.9943, 1.0315, 265),
    pass_at_1=(0.6308, 0.5875, 0.6758, 300), pass_at_k=(0.8833, 0.8467, 0.92, 300),
    cut_share=(0.0, 0.0, 0.0126, 300), failed_prompts=(0.0, 0.0, 0.0126, 300),
    heldout_gain=(0.385, 0.345, 0.425, 600), tokens_ratio=(1.0259, 1.0175, 1.034, 600),
    champion_distinct_2=(0.1449, 0.1384, 0.151, 600), challenger_distinct_2=CHAMPION,
    distinct_2_change=(0.0025, -0.0019, 0.0067, 600), forgetting=(-0.34, -0.42, -0.2533, 150),
    repeated_4grams_change=(-0.0001, -0.0004, -0.00001, 600), unreadable_change=(0.0, 0.0, 0.0, 600),
    stale_share=(0.0, 0.0, 0.0136, 295),
)  # fmt: skip
UNFILTERED = turn(
    "self_verdict", gv_gap=(0.0, 0.0, 0.0, 150), samples_right=(0.6383, 0.5883, 0.6867, 150),
    kept_gain=(-0.2195, -0.2352, -0.2005, 150), kept_rate=(0.585, 0.545, 0.6283, 150),
    kept_tokens_ratio=(1.0655, 1.045, 1.0856, 150), heldout_gain=(-0.9367, -0.955, -0.9167, 600),
    tokens_ratio=(0.7032, 0.6876, 0.7218, 600), champion_distinct_2=CHAMPION,
    challenger_distinct_2=(0.0328, 0.0291, 0.037, 600), distinct_2_change=(-0.1147, -0.1214, -0.1073, 600),
    repeated_4grams_change=(0.0083, 0.0054, 0.0116, 600), unreadable_change=(0.0, 0.0, 0.0, 600),
    forgetting=(0.8867, 0.8333, 0.9333, 150), stale_share=(0.0, 0.0, 0.025, 351),
)  # fmt: skip
SELF = turn(
    "self_verdict", rows=("sample", "trajectory", "critique", "refinement"),
    gv_gap=(0.0338, 0.0188, 0.0511, 266), samples_right=(0.9083, 0.8783, 0.9367, 300),
    kept_gain=(0.0474, 0.0222, 0.0746, 267), kept_tokens_ratio=(0.9916, 0.9747, 1.006, 267),
    acc_1=(0.9083, 0.8783, 0.935, 600), correction_delta=(0.0117, 0.0033, 0.02, 600),
    content_effect=(0.1667, 0.0, 0.4286, 4), edit_unchanged=(0.575, 0.3998, 0.7442, 40),
    critic_tnr=(0.6098, 0.4, 0.8, 41), critic_unparsed=(0.0828, 0.057, 0.1094, 640),
    heldout_gain=(-0.0283, -0.045, -0.0133, 600), tokens_ratio=(1.0005, 0.9989, 1.0022, 600),
    champion_distinct_2=CHAMPION, challenger_distinct_2=(0.1478, 0.1411, 0.1534, 600),
    distinct_2_change=(0.0003, -0.0013, 0.002, 600), repeated_4grams_change=(0.0, 0.0, 0.0, 600),
    unreadable_change=(0.0, 0.0, 0.0, 600), forgetting=(0.0333, -0.0133, 0.08, 150),
    stale_share=(0.0, 0.0, 0.0128, 616),
)  # fmt: skip
LENGTH_HACK = turn(
    "self_verdict", gv_gap=(-0.4475, -0.4975, -0.3997, 200), samples_right=(0.6425, 0.6088, 0.6725, 200),
    kept_gain=(-0.4475, -0.4975, -0.3997, 200), kept_rate=(0.0625, 0.0625, 0.0625, 200),
    kept_tokens_ratio=(1.2097, 1.1711, 1.2539, 200), heldout_gain=(-0.2633, -0.3, -0.2283, 600),
    tokens_ratio=(1.0315, 1.0186, 1.0478, 600), champion_distinct_2=CHAMPION,
    challenger_distinct_2=(0.152, 0.1452, 0.1587, 600), distinct_2_change=(0.0045, 0.0006, 0.0086, 600),
    repeated_4grams_change=(0.0038, 0.0012, 0.0078, 600), unreadable_change=(0.01, 0.0033, 0.0183, 600),
    forgetting=(0.1867, 0.1133, 0.2533, 150), stale_share=(0.0, 0.0, 0.0188, 200),
    **{"length_score:self_verdict": (0.8106, 0.7803, 0.8475, 200)},
)  # fmt: skip


def alarms(now, *history):
    return {key for key, rule in RULES.items() if fired(rule, now, history)}


def test_a_healthy_iteration_alarms_nobody():
    assert alarms(REST_EM) == set()
    assert alarms(SELF, REST_EM, UNFILTERED) == set()  # no better than the champion, and no worse than that


def test_learning_everything_is_a_collapse_for_want_of_a_filter():
    assert alarms(UNFILTERED, REST_EM) == {"collapse", "forgetting", "filter_idle"}


def test_a_reward_that_pays_for_length_is_called_that():
    assert alarms(LENGTH_HACK, REST_EM, UNFILTERED, SELF) == {
        "length_hacking", "reward_hacking", "gap_negative", "forgetting",
    }  # fmt: skip

"""Alarms over what the model has become: it collapses, it forgets, it games its reward."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from loop.evaluate.alarms.rule import Fired, Rule, Seen, Turn, above, below, change, no_gain, saying
from loop.evaluate.alarms.said import Sentence
from loop.evaluate.alarms.wording import change_by, number, percent, points
from loop.phrases import phrase
from loop.stages import Stage


def _alike(now: Turn, history: Sequence[Turn]) -> list[Turn]:
    """Earlier iterations that sampled in the same way: another temperature has other figures."""
    return [turn for turn in history if turn.sampling == now.sampling]


def _diversity_loss(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    past = _alike(now, history)[-2:]
    if len(past) < 2:
        return None
    first, second = past
    wide = [turn.raw("pass_at_k") for turn in (first, second, now)]
    narrow = [turn.raw("pass_at_1") for turn in (first, second, now)]
    if not (_falls(wide) and _falls([None if v is None else -v for v in narrow])):
        return None
    fall = change(first["pass_at_k"], now["pass_at_k"])
    rise = change(first["pass_at_1"], now["pass_at_1"])
    if not (below(fall, -limit) and above(rise, 0.0)):
        return None
    assert fall is not None
    assert rise is not None
    return saying(
        "pass_at_k",
        "Over the last three iterations that sampled alike, pass@k fell each time, {fall} in all,"
        " while pass@1 rose, {rise}: the model is surer of fewer solutions.",
        fall=change_by(fall),
        rise=change_by(rise),
    )


def _falls(values: Sequence[float | None]) -> bool:
    known = [v for v in values if v is not None]
    return len(known) == len(values) and all(a > b for a, b in pairwise(known))


def _collapse(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    return _collapses_at_once(now) or _collapses_slowly(now, history, limit)


LESS_VARIED = 0.1  # of the champion's distinct-2: what is lost must matter, not only be sure
MORE_BROKEN = 0.01


def _collapses_at_once(now: Turn) -> Fired | None:
    gain, start = now["heldout_gain"], now["champion_distinct_2"]
    if gain is None or not below(gain, 0.0):
        return None
    signs = []
    fall = now["distinct_2_change"]
    if fall and start and start.value and below(fall, -LESS_VARIED * start.value):
        signs.append(Sentence("Its answers vary less: distinct-2 {fall}.", {"fall": change_by(fall)}))
    if (rise := now["repeated_4grams_change"]) and above(rise, MORE_BROKEN):
        signs.append(Sentence("It repeats itself more: repeated 4-grams {rise}.", {"rise": change_by(rise)}))
    if (rise := now["unreadable_change"]) and above(rise, MORE_BROKEN):
        signs.append(Sentence("More of its answers cannot be read: {rise}.", {"rise": change_by(rise)}))
    if not signs:
        return None
    worse = Sentence("The challenger is worse on held-out prompts: {gain}.", {"gain": change_by(gain)})
    return Fired("heldout_gain", [worse, *signs])


START = "champion_distinct_2"  # of the first iteration that has it: what the project started from


def _collapses_slowly(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    """Two in a row without a gain, far less varied than what the first iteration started from."""
    start = next((v for turn in history if (v := turn[START])), None)
    last = history[-1] if history else None
    if start is None or start.value is None or last is None:
        return None
    least = limit * start.value
    for turn in (last, now):
        if not (below(turn["challenger_distinct_2"], least) and no_gain(turn["heldout_gain"])):
            return None
    seen = now["challenger_distinct_2"]
    assert seen is not None
    return saying(
        "challenger_distinct_2",
        "Distinct-2 of the challenger's answers is {seen}, for the second time in a row below {limit}"
        " of what the project started from ({start}), without a gain on held-out prompts.",
        seen=number(seen),
        limit=percent(limit),
        start=number(start),
    )


PAYS = 0.5  # a score whose correlation with length is surely above this pays for length


def _length_hacking(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    longer, gain = now["tokens_ratio"], now["heldout_gain"]
    if longer and gain and above(longer, limit) and no_gain(gain):
        return saying(
            "tokens_ratio",
            "The challenger's answers are {longer} times as long as the champion's, and {right}: held-out"
            " {gain}.",
            longer=number(longer),
            right=_no_righter(gain),
            gain=change_by(gain),
        )
    return _keeps_the_long(now, limit)


def _no_righter(gain: Seen) -> str:
    return phrase("right less often") if below(gain, 0.0) else phrase("not right more often")


def _keeps_the_long(now: Turn, limit: float) -> Fired | None:
    longer, gain = now["kept_tokens_ratio"], now["kept_gain"]
    chosen = now[f"gv_gap:{now.acceptor}"] if now.acceptor else gain
    if longer is None or gain is None or not (no_gain(gain) and no_gain(chosen)):
        return None
    kept = Sentence(
        "What was kept is {longer} times as long as what was sampled, and {right}: {gain}.",
        {"longer": number(longer), "right": _no_righter(gain), "gain": change_by(gain)},
    )
    name = f"length_score:{now.acceptor}"
    if (pays := now[name]) and above(pays, PAYS) and above(longer, 1.0):
        why = Sentence(
            "The score that accepts rises with length: correlation {pays}.", {"pays": number(pays)}
        )
        return Fired(name, [why, kept])
    return Fired("kept_tokens_ratio", [kept]) if above(longer, limit) else None


def _reward_hacking(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    if not now.acceptor:
        return None  # a checker or people accepted: there is no proxy to game
    kept, chosen = now["kept_gain"], now[f"gv_gap:{now.acceptor}"]
    if kept and chosen and below(kept, -limit) and below(chosen, -limit):
        return saying(
            "kept_gain",
            "{who} prefers what is wrong: what was kept is right less often than what was sampled, {kept}.",
            who=_named(now.acceptor),
            kept=change_by(kept),
        )
    past = [turn for turn in _alike(now, history) if turn.acceptor == now.acceptor][-2:]
    if len(past) < 2:
        return None
    turns = [*past, now]
    accepted = [turn.raw("kept_rate") for turn in turns]
    right = [turn.raw("samples_right") for turn in turns]
    if not (_falls(right) and _falls([None if v is None else -v for v in accepted])):
        return None
    up = change(past[0]["kept_rate"], now["kept_rate"])
    down = change(past[0]["samples_right"], now["samples_right"])
    if not (up and down and above(up, 0.0) and below(down, -limit)):
        return None
    return saying(
        "samples_right",
        "{who} has accepted more for two iterations in a row, {up}, while fewer samples were right, {down}.",
        who=_named(now.acceptor),
        up=change_by(up),
        down=change_by(down),
    )


def _named(acceptor: str) -> str:
    return _ACCEPTORS.get(acceptor, acceptor)


_ACCEPTORS = {
    "self_verdict": phrase("The model's own verdict"),
    "reward": phrase("The reward model"),
    "process_reward": phrase("The process reward model"),
}


def _forgetting(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    lost = now["forgetting"]
    if lost is None or not above(lost, limit):
        return None
    return saying(
        "forgetting",
        "On the probe prompts the challenger is {lost} below the best earlier version.",
        lost=points(lost),
    )


def _chosen_falls(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    fall, gain = now.raw("chosen_logprob_change"), now["heldout_gain"]
    if fall is None or gain is None or not fall < -limit or not no_gain(gain):
        return None
    return saying(
        "chosen_logprob_change",
        "Training made the better sides less likely, by {fall} nats, and held-out did not gain: {gain}.",
        fall=number(Seen(-fall)),
        gain=change_by(gain),
    )


RULES = (
    Rule(
        key="collapse",
        title="Collapse",
        level="bad",
        reads=("heldout_gain", "distinct_2_change", "repeated_4grams_change", "unreadable_change",
               "challenger_distinct_2", "champion_distinct_2"),
        stage=Stage.EVALUATE,
        formula="Held-out falls, and distinct-2 falls by more than a tenth of the champion's, or repeated"
        " 4-grams or unreadable answers rise by more than a point; or, twice in a row without a gain on"
        " held-out (0 or less, or surely below 2 points), the challenger's distinct-2 is below the limit, as"
        " a share of the distinct-2 of the first iteration's champion.",
        source="arXiv:2404.02305",
        what_to_do="Keep the champion. Look at what the model was trained on: put a filter in front of it"
        " (a checker, a vote, people), lower the learning rate, or replay rows that people accepted.",
        decide=_collapse,
        limit=0.7,
    ),
    Rule(
        key="length_hacking",
        title="Length hacking",
        level="bad",
        reads=("length_score:*", "kept_tokens_ratio", "kept_gain", "gv_gap:*", "tokens_ratio",
               "heldout_gain"),
        stage=Stage.CURATE,
        formula="Kept samples are longer than all samples by more than the limit, or at all where the score"
        " of what accepts follows length (correlation above 0.5), and they are not right more often; or the"
        " challenger's answers are longer than the champion's by more than the limit and held-out does not"
        " gain. No gain: 0 or less, or surely below 2 points.",
        source="arXiv:2310.03716",
        what_to_do="Read a few of the longest kept samples beside short ones. If the extra length says"
        " nothing, let a checker or people accept instead, or take the reward per token; set"
        " gate.max_token_ratio in the recipe.",
        decide=_length_hacking,
        limit=1.2,
        unit="ratio",
        span=(1.0, 10.0),
    ),
    Rule(
        key="reward_hacking",
        title="Reward hacking",
        level="bad",
        reads=("kept_gain", "gv_gap:*", "kept_rate", "samples_right"),
        stage=Stage.CURATE,
        formula="Where a score or the model's own verdict accepts: what is kept is right less often than"
        " what was sampled, by more than the limit; or for two iterations in a row more is accepted and"
        " less is right.",
        source="arXiv:2502.02671",
        what_to_do="Do not promote on this reward. Compare it with the checker or with people on the trust"
        " page, train it anew on fresh judgements, or let a checker accept.",
        decide=_reward_hacking,
        limit=0.0,
        unit="points",
    ),
    Rule(
        key="forgetting",
        title="Forgetting",
        level="bad",
        reads=("forgetting",),
        stage=Stage.EVALUATE,
        formula="F = best earlier accuracy on the same probe prompts - accuracy now; F is above the limit.",
        source="arXiv:1801.10112",
        what_to_do="Read which probe prompts were lost. Replay earlier rows (curate.replay), train fewer"
        " epochs or with a lower learning rate, or start from the base again.",
        decide=_forgetting,
        limit=0.02,
        unit="points",
    ),
    Rule(
        key="diversity_loss",
        title="Diversity loss",
        level="warn",
        reads=("pass_at_k", "pass_at_1"),
        stage=Stage.GENERATE,
        formula="For two iterations in a row pass@k falls while pass@1 rises; over both, pass@k fell by"
        " more than the limit. Only iterations that sampled alike are compared.",
        source="arXiv:2412.17256",
        what_to_do="The model explores less: raise the temperature, cap the rows of one prompt"
        " (curate.max_per_prompt), or ask for more of the prompts that it seldom solves.",
        decide=_diversity_loss,
        limit=0.0,
        unit="points",
    ),
    Rule(
        key="chosen_falls",
        title="Better side falls",
        level="warn",
        reads=("chosen_logprob_change", "heldout_gain"),
        stage=Stage.EVALUATE,
        formula="log pi(chosen) fell during preference training by more than the limit, and held-out does"
        " not gain (0 or less, or surely below 2 points).",
        source="arXiv:2305.18290",
        what_to_do="Add a likelihood term (finetune.sft_weight), raise finetune.beta or lower the learning"
        " rate.",
        decide=_chosen_falls,
        limit=1.0,
        unit="score",
        span=(0.0, 1000.0),
    ),
)  # fmt: skip

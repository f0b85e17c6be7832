"""Alarms over what judges: critiques that do no good, critics that call everything right, biased judges."""

from __future__ import annotations

from collections.abc import Sequence

from loop.evaluate.alarms.rule import Fired, Rule, Seen, Turn, above, below, saying
from loop.evaluate.alarms.said import Sentence
from loop.evaluate.alarms.wording import change_by, share
from loop.phrases import phrase
from loop.stages import Stage


def _correction_harm(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    delta = now["correction_delta"]
    if delta is None or not below(delta, -limit):
        return None
    return saying(
        "correction_delta",
        "Revising turns more right answers wrong than wrong ones right: accuracy changes by {delta}.",
        delta=change_by(delta),
    )


def _edit_collapse(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    same, first = now["edit_unchanged"], now["acc_1"]
    if same is None or first is None or not above(same, limit):
        return None
    low, most_right = same.low, first.high
    if low is None or most_right is None or most_right >= 1:
        return None
    if (low - most_right) / (1 - most_right) <= MOSTLY:
        return None  # leaving right drafts as they are is what it should do
    return saying(
        "edit_unchanged",
        "{same} of the revisions change nothing, though only {right} of the drafts are right.",
        same=share(same),
        right=share(first),
    )


MOSTLY = 0.5  # of the wrong drafts are left as they are, even if every right one is


def _content_free(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    effect, first = now["content_effect"], now["acc_1"]
    if effect is None or first is None or first.value is None or not below(first, 0.95):
        return None
    if not below(effect, limit * (1 - first.value)):
        return None
    return saying(
        "content_effect",
        "A revision after the critique is right no more often than one after empty words: {effect}.",
        effect=change_by(effect),
    )


def _critic_stamp(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    caught = now["critic_tnr"]
    if caught is None or not below(caught, 1 - limit):
        return None
    return saying(
        "critic_tnr",
        "Of the responses that are wrong, the model's critic catches {caught}; it calls the others right.",
        caught=share(caught),
    )


def _gap_negative(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    if not now.acceptor:
        return None
    name = f"gv_gap:{now.acceptor}"
    gap = now[name]
    if gap is None or not below(gap, -limit):
        return None
    return saying(
        name,
        "What the model accepts of its own samples is right less often than what it samples: {gap}.",
        gap=change_by(gap),
    )


def _judge_flips(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    flips = now["judge_flips"]
    if flips is None or not above(flips, limit):
        return None
    return saying(
        "judge_flips",
        "The judge names another winner when the two sides are swapped in {flips} of the pairs.",
        flips=share(flips),
    )


def _judge_bias(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    excess = now["judge_length_excess"]
    found = {
        name: Sentence(text, {"share": share(seen)})
        for name, text in _BIASES.items()
        if (seen := now[name]) and (above(seen, limit) or below(seen, 1 - limit))
        if not (excess and name == "judge_length_bias")  # people's own taste for length is no bias
    }
    if excess and (above(excess, limit - 0.5) or below(excess, 0.5 - limit)):
        found["judge_length_excess"] = Sentence(
            "The judge prefers another length than people, who compared the same pairs: the longer one wins"
            " by {excess}.",
            {"excess": change_by(excess)},
        )
    return Fired(next(iter(found)), list(found.values())) if found else None


_BIASES = {
    "judge_first_bias": phrase(
        "The judge prefers what stands first in {share} of the pairs, where a half is no bias."
    ),
    "judge_length_bias": phrase(
        "The judge prefers the longer response in {share} of the pairs, where a half is no bias."
    ),
}


def _self_preference(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    own = now["judge_self_preference"]
    before = next((v for t in reversed(history) if (v := t.raw("judge_self_preference")) is not None), None)
    if own is None or own.value is None or before is None or not above(own, limit) or own.value <= before:
        return None
    return saying(
        "judge_self_preference",
        "Of responses that people find equally good, the judge prefers its own model's in {own} of"
        " the pairs, up from {before}.",
        own=share(own),
        before=share(Seen(before)),
    )


RULES = (
    Rule(
        key="gap_negative",
        title="Verdict worse than chance",
        level="warn",
        reads=("gv_gap:*",),
        stage=Stage.GENERATE,
        formula="Generation-verification gap J[w] - J of what accepts, w being its word, below minus the"
        " limit.",
        source="arXiv:2412.02674",
        what_to_do="The model cannot judge its own work yet: let a checker or people accept, and train the"
        " critic first (recipe self asks people for critiques).",
        decide=_gap_negative,
        limit=0.0,
        unit="points",
    ),
    Rule(
        key="critic_stamp",
        title="Critic calls everything right",
        level="warn",
        reads=("critic_tnr",),
        stage=Stage.GENERATE,
        formula="P(the critic says right | the response is wrong) = 1 - TNR, above the limit.",
        source="arXiv:2501.05727",
        what_to_do="Train the critic on people's marks of wrong responses: ask for the convincing wrong ones"
        " (annotate.order) and add critique rows.",
        decide=_critic_stamp,
        limit=0.8,
    ),
    Rule(
        key="correction_harm",
        title="Revising does harm",
        level="warn",
        reads=("correction_delta",),
        stage=Stage.GENERATE,
        formula="P(wrong to right) - P(right to wrong) of drafts and their revisions, below minus the limit.",
        source="arXiv:2409.12917",
        what_to_do="Stop revising, or revise only what the critic calls wrong; train on corrections that"
        " people made.",
        decide=_correction_harm,
        limit=0.0,
        unit="points",
    ),
    Rule(
        key="edit_collapse",
        title="Revisions change nothing",
        level="warn",
        reads=("edit_unchanged", "acc_1"),
        stage=Stage.GENERATE,
        formula="Share of revisions equal to their draft, above the limit, and more than half of the wrong"
        " drafts among them even if all right ones are.",
        source="arXiv:2409.12917",
        what_to_do="The model repeats itself instead of correcting. Train it on pairs of a wrong draft and"
        " its corrected version (rows refinement), or raise the temperature of the revision.",
        decide=_edit_collapse,
        limit=0.8,
    ),
    Rule(
        key="content_free",
        title="Critique has no effect",
        level="warn",
        reads=("content_effect", "acc_1"),
        stage=Stage.GENERATE,
        formula="(Acc2 after the critique - Acc2 after empty words) / (1 - Acc1), below the limit, at as"
        " many calls. Only where more than 5 % of the drafts are wrong.",
        source="arXiv:2310.12397",
        what_to_do="The gain comes from trying again, not from the critique: plain sampling is cheaper"
        " (recipe rest-em) until the critic is better.",
        decide=_content_free,
        limit=0.02,
    ),
    Rule(
        key="judge_flips",
        title="Judge flips with the order",
        level="warn",
        reads=("judge_flips",),
        stage=Stage.ANNOTATE,
        formula="Share of pairs with another winner when the sides are swapped, above the limit.",
        source="arXiv:2306.05685",
        what_to_do="Ask in both orders and take only what agrees; train the judge on swapped pairs (recipe"
        " judge).",
        decide=_judge_flips,
        limit=0.15,
    ),
    Rule(
        key="judge_bias",
        title="Judge is biased",
        level="warn",
        reads=("judge_first_bias", "judge_length_bias", "judge_length_excess"),
        stage=Stage.ANNOTATE,
        formula="Share of pairs in which the judge prefers what stands first, or the longer response, above"
        " the limit or below 1 - the limit. For length, where people decided the same pairs: the judge's"
        " share minus theirs is further from 0 than the limit from a half.",
        source="arXiv:2306.05685",
        what_to_do="Stop training the judge on its own words. Swap the sides, compare responses of like"
        " length, and add people's preferences.",
        decide=_judge_bias,
        limit=0.65,
        span=(0.5, 1.0),
    ),
    Rule(
        key="self_preference",
        title="Judge prefers its own",
        level="warn",
        reads=("judge_self_preference",),
        stage=Stage.ANNOTATE,
        formula="Of pairs that people find equal, the share of its own model's response over both orders,"
        " (P_fwd + P_bwd) / 2, is above the limit, and higher than in the iteration that had it before.",
        source="arXiv:2404.13076",
        what_to_do="Let another model or people judge; do not let this judge accept its own model's"
        " responses.",
        decide=_self_preference,
        limit=0.55,
    ),
)  # fmt: skip

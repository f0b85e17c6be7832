"""Alarms over what the model is trained on: an idle filter, old feedback, a method that breaks."""

from __future__ import annotations

from collections.abc import Sequence

from loop.evaluate.alarms.rule import Fired, Rule, Turn, above, below, saying
from loop.evaluate.alarms.said import Sentence
from loop.evaluate.alarms.wording import change_by, number, percent, share
from loop.phrases import phrase
from loop.records import PAIR_KINDS, RowKind
from loop.stages import Stage

# Rows that learn from what is wrong as well: what was kept for them went through no filter.
EITHER_WAY = {kind.value for kind in (RowKind.OUTCOME, *PAIR_KINDS)}
WORTH_FILTERING = 0.02  # a smaller share of wrong samples leaves a filter nothing to do


def _filter_idle(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    if RowKind.SAMPLE.value not in now.rows or now.rows & EITHER_WAY:
        return None
    right, gain = now["samples_right"], now["kept_gain"]
    if right is None or gain is None or right.value is None or not below(right, 1 - WORTH_FILTERING):
        return None
    room = 1 - right.value
    # Dropping repeats drops more right samples than wrong ones: what accepts must be idle by itself, too.
    chosen = now[f"gv_gap:{now.acceptor}"] if now.acceptor else gain
    if not (below(gain, limit * room) and below(chosen, limit * room)) or below(chosen, 0.0):
        return None  # what prefers the wrong is not idle: `reward_hacking` and `gap_negative` say so
    return Fired(
        "kept_gain",
        [
            Sentence(
                "{right} of the samples are right; what was kept differs by {gain}.",
                {"right": share(right), "gain": change_by(gain)},
            ),
            Sentence("The filter removes less than {limit} of what is wrong.", {"limit": percent(limit)}),
        ],
    )


def _stale_feedback(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    old = now["stale_share"]
    if old is None or not above(old, limit):
        return None
    return saying(
        "stale_share",
        "{old} of the rows were written by a model that is two or more champions old.",
        old=share(old),
    )


def _method_breaks(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    found = {
        name: Sentence(text, {"share": share(seen)})
        for name, text in _BREAKS.items()
        if (seen := now[name]) and above(seen, limit)
    }
    return Fired(next(iter(found)), list(found.values())) if found else None


_BREAKS = {
    "failed_prompts": phrase("Prompts whose run failed: {share}."),
    "critic_unparsed": phrase("Critiques that could not be read: {share}."),
    "cut_share": phrase("Samples cut off at the length limit: {share}."),
}


def _people_disagree(now: Turn, history: Sequence[Turn], limit: float) -> Fired | None:
    alpha = now["people_alpha"]
    if alpha is None or not below(alpha, limit):
        return None
    return saying(
        "people_alpha",
        "People agree little more than chance would have it: alpha {alpha}.",
        alpha=number(alpha),
    )


RULES = (
    Rule(
        key="filter_idle",
        title="Filter does nothing",
        level="warn",
        reads=("kept_gain", "samples_right", "gv_gap:*"),
        stage=Stage.CURATE,
        formula="(kept accuracy - J) / (1 - J) is below the limit, J being the accuracy of all samples; so is"
        " (J[w] - J) / (1 - J) of what accepts. Only where more than 2 % of the samples are wrong.",
        source="arXiv:2412.02674",
        what_to_do="The model learns its own mistakes. Let something accept that knows better than the"
        " model: a checker, a vote over samples (recipe lmsi), a trained scorer, or people.",
        decide=_filter_idle,
        limit=0.1,
    ),
    Rule(
        key="method_breaks",
        title="Method breaks",
        level="warn",
        reads=("critic_unparsed", "cut_share", "failed_prompts"),
        stage=Stage.GENERATE,
        formula="Of critiques that cannot be read, samples cut off at the length limit, or prompts whose"
        " run failed, a share above the limit.",
        source="arXiv:2409.12917",
        what_to_do="Read some of what was cut off or not read. Raise max_new_tokens, or check that the"
        " project's dialect suits the model; the funnel says what was lost for which reason.",
        decide=_method_breaks,
        limit=0.2,
    ),
    Rule(
        key="stale_feedback",
        title="Feedback is old",
        level="warn",
        reads=("stale_share",),
        stage=Stage.CURATE,
        formula="Share of rows written two or more champions ago, above the limit.",
        source="arXiv:1701.06049",
        what_to_do="Feedback on an old model's mistakes says little about the present one's. Bound the age"
        " (curate.max_age) or the share of what is replayed (curate.replay_share), and ask people anew.",
        decide=_stale_feedback,
        limit=0.75,
    ),
    Rule(
        key="people_disagree",
        title="People disagree",
        level="warn",
        reads=("people_alpha",),
        stage=Stage.ANNOTATE,
        formula="Krippendorff's alpha of the iteration's tasks with two answers or more, below the limit.",
        source="Krippendorff, 2004, Human Communication Research 30",
        what_to_do="Open Review, disagreements first: where two people are right in their own way, the"
        " guidelines are not clear. Write down what holds, and adjudicate.",
        decide=_people_disagree,
        limit=0.667,
        unit="score",
    ),
)  # fmt: skip

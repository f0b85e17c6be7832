"""Whether sampling more still finds more, how different samples are, and whether choosing makes use of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from django.utils.translation import gettext_noop as _noop

from loop.evaluate import exploration as formulas
from loop.evaluate.diversity import distinct_equations, distinct_n, words
from loop.evaluate.metric import Metric, Value, value_of
from loop.evaluate.resample import Resamples
from loop.evaluate.samples import Floats, Samples, divided
from loop.evaluate.sampling import Votes, best_of, common_k, pass_at_k, right_among_best, votes
from loop.stages import Stage
from webapp.iterations.models import Iteration
from webapp.metrics.samples import draws_of, sampled_of

BSTAR = "arXiv:2412.17256"
SURVEY = "arXiv:2407.14507"
FEW_SCORED = _noop("no prompt has {k} scored samples with this score")
TOP = 2  # what a reward model should have among its first choices

GROUP = "Exploration"
ORDER = 20
METRICS = (
    Metric("pass_gain", "What more tries add", "points", "", "pass@k - pass@1", BSTAR),
    Metric(
        *("exploitation_gap:*", "Found, but not chosen", "ratio", "down"),
        *("(pass@k - best of k) / (pass@k - pass@1)", BSTAR),
        version=2,
    ),
    Metric(
        *("reward_pass_at_k:*", "A right one among a scorer's first two", "share", "up"),
        *("share of prompts with a right sample among the 2 with the highest scores", "arXiv:2412.17451"),
    ),
    Metric(
        *("balance_score", "Balance score: many accepted and mostly right", "score", "up"),
        *("mean over prompts of min(c / n*, 1) c / n over n accepted samples; n* = 8 or k if less", BSTAR),
    ),
    Metric("answers_distinct", "Different answers", "ratio", "", "different answers / samples", BSTAR),
    Metric(
        *("equations_distinct", "Different equations", "ratio", ""),
        *("different equations / equations of a prompt's samples", BSTAR),
    ),
    Metric(
        *("distinct_1", "Different words", "ratio", ""),
        *("different words / words of a prompt's samples", "arXiv:1510.03055"),
    ),
    Metric(
        *("distinct_2", "Different pairs of words", "ratio", ""),
        *("different bigrams / bigrams of a prompt's samples", "arXiv:1510.03055"),
    ),
    Metric(
        *("answer_entropy", "Entropy of the answers", "bits", ""),
        *("-sum p log2 p over the different answers", SURVEY),
    ),
    Metric(
        *("vote_share", "Votes for the most frequent answer", "share", ""),
        *("votes for the leader / samples", "arXiv:2210.11610"),
    ),
    Metric(
        *("entropy_accuracy", "Agreement with itself tells what is right", "score", "up"),
        *("Spearman correlation of -entropy and accuracy over prompts", SURVEY),
    ),
    Metric(
        *("confident_wrong", "Prompts that it is sure about and wrong", "share", "down"),
        *("share of prompts whose leader has >= 0.75 of the votes and is wrong", SURVEY),
    ),
    Metric("solve_none", "Prompts without a right sample", "share", "down", "c = 0", "arXiv:2503.18892"),
    Metric("solve_all", "Prompts with right samples only", "share", "", "c = n", "arXiv:2503.18892"),
    Metric("cut_share", "Samples cut off at the limit", "share", "down", "cut / samples", "Whetstone"),
    Metric("sample_tokens", "Length of a sample", "tokens", "", "mean tokens", "Whetstone"),
    Metric(
        *("length_score:*", "A scorer likes long samples", "score", ""),
        *("Pearson correlation of score and tokens, each less its prompt's mean", "arXiv:2405.07863"),
    ),
)


def generated(iteration: Iteration) -> Iterator[Value]:
    """What needs several samples only where prompts have several."""
    if (sampled := sampled_of(iteration)) is None:
        return
    samples, draws = sampled.samples, draws_of(iteration)
    k = common_k(samples.scored)
    vote = votes(samples)
    if k > 1:
        yield from _choosing(samples, draws, k)
    if k:
        wanted = min(formulas.WANTED, k)
        yield value_of("balance_score", draws.mean(formulas.balance_score(samples, wanted)), wanted=wanted)
    yield from _texts(samples, draws)
    yield from _answers(samples, draws, vote)
    yield value_of("cut_share", draws.share(samples.sum(samples.cut), samples.drawn))
    yield from _lengths(samples, draws)


def _choosing(samples: Samples, draws: Resamples, k: int) -> Iterator[Value]:
    once, often = (pass_at_k(samples.scored, samples.solved, i) for i in (1, k))
    yield value_of("pass_gain", draws.difference(often, once), k=k)
    for name, score in samples.scorers.items():
        gap = formulas.exploitation_gap(draws, best_of(samples, score, k), once, often)
        yield value_of(f"exploitation_gap:{name}", gap, reason=_noop("more tries find no more"), k=k)
        if k > TOP:
            first = draws.mean_share(right_among_best(samples, score, TOP))
            reason = FEW_SCORED.format(k=TOP)
            yield value_of(f"reward_pass_at_k:{name}", first, reason=reason, top=TOP, k=k)


def _texts(samples: Samples, draws: Resamples) -> Iterator[Value]:
    found = distinct_equations(samples.texts, samples.prompt, samples.prompts)
    yield value_of("equations_distinct", draws.mean(found), reason=_noop("no sample writes an equation"))
    split = words(samples.texts)
    for n in (1, 2):
        distinct = draws.mean(distinct_n(split, samples.prompt, samples.prompts, n))
        yield value_of(f"distinct_{n}", distinct, reason=_noop("every sample is shorter"))


def _answers(samples: Samples, draws: Resamples, vote: Votes) -> Iterator[Value]:
    """Over the prompts with several samples."""
    several = samples.drawn > 1
    if not several.any():
        return

    def among(values: Floats) -> Floats:
        return np.where(several, values, np.nan)

    accuracy = among(divided(samples.solved, samples.scored))
    some = np.isfinite(accuracy)
    if samples.answered.any():  # else answers are no part of what is asked
        yield value_of("answers_distinct", draws.mean(among(divided(vote.answers, samples.drawn))))
        alone = _noop("only prompts with a single sample have answers")
        yield value_of("answer_entropy", draws.mean(among(vote.entropy)), reason=alone)
        yield value_of("vote_share", draws.mean_share(among(vote.share)))
        if some.any():
            together = formulas.rank_correlation(draws, -vote.entropy, accuracy)
            yield value_of(
                "entropy_accuracy", together, reason=_noop("entropy or accuracy is the same everywhere")
            )
            sure = among(formulas.confident_wrong(vote.share, vote.right))
            yield value_of("confident_wrong", draws.mean_share(sure), reason=_noop("no vote could be scored"))
    if not some.any():
        return
    yield value_of("solve_none", draws.mean_share(np.where(some, accuracy == 0, np.nan)))
    yield value_of("solve_all", draws.mean_share(np.where(some, accuracy == 1, np.nan)))


def _lengths(samples: Samples, draws: Resamples) -> Iterator[Value]:
    known = np.isfinite(samples.tokens)
    if not known.any():
        return
    tokens = samples.sum(np.where(known, samples.tokens, 0.0))
    yield value_of("sample_tokens", draws.ratio(tokens, samples.sum(known)))
    for name, score in samples.scorers.items():
        found = formulas.within(draws, samples, score, samples.tokens)
        yield value_of(
            f"length_score:{name}", found, reason=_noop("scores or lengths do not differ within prompts")
        )


MEASURES = {Stage.GENERATE: generated}

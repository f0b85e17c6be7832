"""What several samples of a prompt are worth: pass@k, the vote, and the choice of a scorer.

Functions give one number per prompt; nan: the prompt has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loop.evaluate.samples import Floats, Samples, divided


def common_k(scored: Floats) -> int:
    """The most samples that at least nine prompts in ten have, of those with any; 0 without any.

    Usually what was asked for. A few samples that could not be scored do not lower it for everybody.
    """
    some = np.sort(scored[scored > 0])
    return int(some[int(0.1 * len(some))]) if len(some) else 0


def pass_at_k(n: Floats, right: Floats, k: float | Floats) -> Floats:
    """Chance that at least one of k samples is right, without bias from n: 1 - C(n - right, k) / C(n, k)
    (Chen et al., 2021, arXiv:2107.03374); nan where n < k."""
    from scipy.special import comb  # slow to import; only who measures pays for it

    return 1.0 - divided(comb(n - right, k), comb(n, k))


def powers(k: int) -> list[int]:
    """Where a pass@k curve is read: 1, 2, 4 ... and k itself."""
    return [2**i for i in range(k.bit_length()) if 2**i < k] + [k] if k else []


@dataclass(frozen=True)
class Votes:
    """How each prompt's samples vote; a sample without an answer does not, but counts in ``share``.

    Of each prompt: ``answers`` counts the different ones; ``share``: of its samples, those that vote for the
    most frequent answer; ``right``: whether that is right (Wang et al., 2022, arXiv:2203.11171; leaders that
    tie share the outcome; 0 when nobody votes; nan when no leader could be scored); ``entropy`` of the votes
    in bits (semantic entropy, Farquhar et al., 2024, with equal answers as equal meanings; nan when nobody
    votes). ``own``: of each sample, the share of its prompt's samples that give its answer; nan without one.
    """

    answers: Floats
    share: Floats
    right: Floats
    entropy: Floats
    own: Floats


def votes(samples: Samples) -> Votes:
    """Count the vote of each prompt."""
    voting = samples.answered
    width = int(samples.answer.max(initial=0)) + 1
    pairs, pair = np.unique(
        samples.prompt[voting] * width + samples.answer[voting], return_inverse=True
    )  # every answer of every prompt once
    home = pairs // width
    count = np.bincount(pair, minlength=len(pairs)).astype(np.float64)
    outcome = _means(pair, samples.right[voting], len(pairs))
    most = np.zeros(samples.prompts)
    np.maximum.at(most, home, count)
    leads = count == most[home]
    right = _means(home[leads], outcome[leads], samples.prompts)
    cast = np.bincount(home, weights=count, minlength=samples.prompts)
    p = count / cast[home]
    entropy = np.bincount(home, weights=-p * np.log2(p), minlength=samples.prompts)
    own = np.full(len(samples.prompt), np.nan)
    own[voting] = count[pair] / samples.drawn[samples.prompt[voting]]
    return Votes(
        answers=np.bincount(home, minlength=samples.prompts).astype(np.float64),
        share=divided(most, samples.drawn),
        right=np.where((cast == 0) & (samples.scored > 0), 0.0, right),
        entropy=np.where(cast > 0, np.maximum(entropy, 0.0), np.nan),
        own=own,
    )


def best_of(samples: Samples, score: Floats, k: int | None = None) -> Floats:
    """Whether the sample with the highest score is right (Cobbe et al., 2021, arXiv:2110.14168); the best
    that tie share the outcome, as if one were drawn. Only scored samples can be chosen.

    ``k``: the chance of that among k samples, without bias from the n there are, so that it can be set beside
    pass@k: the sample at rank i is the best of C(n - i, k - 1) of the C(n, k) choices. nan where n < k. By
    default among all.
    """
    from scipy.special import comb  # slow to import; only who measures pays for it

    asked = samples.known & np.isfinite(score)
    order = np.lexsort((-score[asked], samples.prompt[asked]))
    prompt, score, right = samples.prompt[asked][order], score[asked][order], samples.right[asked][order]
    size = np.bincount(prompt, minlength=samples.prompts)
    n, rank = size[prompt], np.arange(len(prompt)) - (np.cumsum(size) - size)[prompt] + 1
    of = n if k is None else np.full(len(n), k)
    fresh = np.append(True, (np.diff(prompt) != 0) | (np.diff(score) != 0))[: len(prompt)]
    tied = np.cumsum(fresh) - 1
    shared = _means(tied, right, int(fresh.sum()))[tied]
    chance = divided(comb(n - rank, of - 1), comb(n, of))
    best = np.bincount(prompt, weights=shared * chance, minlength=samples.prompts)
    return np.where(size >= (1 if k is None else k), best, np.nan)


def right_among_best(samples: Samples, score: Floats, k: int) -> Floats:
    """Chance that one of the k samples with the highest scores is right: Reward-Pass@k (M-STaR, Liu et al.,
    2024, arXiv:2412.17451). Which of those that tie for the last places are taken is left to chance; nan
    where fewer than k have a score."""
    asked = samples.known & np.isfinite(score)
    order = np.lexsort((-score[asked], samples.prompt[asked]))
    prompt, score, right = samples.prompt[asked][order], score[asked][order], samples.right[asked][order]
    size = np.bincount(prompt, minlength=samples.prompts)
    start = np.cumsum(size) - size
    enough = size >= k
    last = np.full(samples.prompts, np.nan)
    last[enough] = score[start[enough] + k - 1]  # the lowest score that is taken

    def count(which: np.ndarray) -> Floats:
        return np.bincount(prompt, weights=which, minlength=samples.prompts).astype(np.float64)

    above, ties = score > last[prompt], score == last[prompt]
    among = pass_at_k(count(ties), count(ties & (right == 1)), k - count(above))
    return np.where(enough, np.where(count(above & (right == 1)) > 0, 1.0, among), np.nan)


def _means(group: np.ndarray, values: Floats, groups: int) -> Floats:
    """Mean of the numbers among ``values`` in each group."""
    known = np.isfinite(values)
    total = np.bincount(group[known], weights=values[known], minlength=groups).astype(np.float64)
    return divided(total, np.bincount(group[known], minlength=groups).astype(np.float64))

"""Samples as columns, from what a test writes down by prompt."""

import numpy as np

from loop.evaluate.samples import NO_ANSWER, Samples

NAN = float("nan")


def samples_of(*right, answers=None, scores=None, tokens=None, accepted=None, passed=None, texts=()):
    """A prompt for each list of outcomes (1, 0, `NAN`); the rest in the same shape. Answers: text or None."""
    flat = [value for one in right for value in one]
    number = {None: NO_ANSWER}
    said = [a for one in answers for a in one] if answers else [None] * len(flat)

    def column(values):
        return np.array([v for one in values for v in one], dtype=float)

    return Samples(
        prompts=len(right),
        prompt=np.repeat(np.arange(len(right)), [len(one) for one in right]),
        right=np.array(flat, dtype=float),
        answer=np.array([number.setdefault(a, len(number) - 1) for a in said], dtype=np.int64),
        cut=np.zeros(len(flat), dtype=bool),
        tokens=column(tokens) if tokens else np.full(len(flat), NAN),
        logprob=np.full(len(flat), NAN),
        accepted=column(accepted) == 1 if accepted else np.array(flat) == 1,
        scores={name: column(values) for name, values in (scores or {}).items()},
        passed={name: column(values) for name, values in (passed or {}).items()},
        texts=texts,
    )

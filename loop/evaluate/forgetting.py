"""What a model could do once and cannot do now, on prompts that never change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from loop.evaluate.comparison import Outcomes
from loop.evaluate.resample import Floats, Resamples


@dataclass(frozen=True, slots=True)
class Forgetting:
    """``value``: F = max over earlier models of accuracy then - accuracy now, each on the prompts that both
    were scored on (Chaudhry et al., 2018, arXiv:1801.10112). Below 0: better than ever. ``best``: which model
    it was. ``lost``: prompts that an earlier model solved and that are wrong now, of ``solved`` scored now.
    """

    value: float
    ci95: tuple[float, float] | None
    best: str
    accuracies: Mapping[str, float]  # of each earlier model, on the prompts shared with now
    n: int  # prompts scored now
    lost: tuple[str, ...]
    solved: tuple[str, ...]


def forgetting(earlier: Mapping[str, Outcomes], now: Outcomes, *, seed: int = 0) -> Forgetting | None:
    """Of models by name, oldest first. None where no earlier model was scored on half of the prompts scored
    now: on fewer it would be the best by chance.

    The value leans up, as any maximum over noisy figures does. The interval does not: the falls below all
    earlier models lie in their intervals together (their largest error, in standard errors, is drawn at once:
    Westfall and Young, 1993), so the greatest of them lies between the greatest lower and upper end.
    """
    prompts = sorted(pk for pk, outcome in now.items() if outcome is not None)
    known = {name: [outcomes.get(pk) for pk in prompts] for name, outcomes in earlier.items()}
    known = {name: column for name, column in known.items() if 2 * column.count(None) <= len(column)}
    if not prompts or not known:
        return None
    current = np.array([now[pk] is True for pk in prompts], dtype=np.float64)
    then = np.array([[x is True for x in column] for column in known.values()], dtype=np.float64)
    both = np.array([[x is not None for x in column] for column in known.values()], dtype=np.float64)
    lost = then - both * current
    falls = lost.sum(axis=1) / both.sum(axis=1)
    best = int(np.argmax(falls))
    solved_then: list[bool] = (then.max(axis=0) > 0).tolist()
    names = list(known)
    return Forgetting(
        value=float(falls[best]),
        ci95=_interval(falls, lost, both, seed),
        best=names[best],
        accuracies={name: float(then[i].sum() / both[i].sum()) for i, name in enumerate(names)},
        n=len(prompts),
        lost=tuple(pk for pk, was, is_ in zip(prompts, solved_then, current, strict=True) if was and not is_),
        solved=tuple(pk for pk, was in zip(prompts, solved_then, strict=True) if was),
    )


def _interval(falls: Floats, lost: Floats, both: Floats, seed: int) -> tuple[float, float] | None:
    """Of the greatest fall, from simultaneous 95 % intervals of all, each symmetric. ``lost`` and ``both``:
    models x prompts."""
    models, prompts = lost.shape
    if prompts == 1:
        return None  # one prompt does not show how much prompts differ
    sums = Resamples(prompts, seed=seed).sums(*lost, *both)
    above, below = np.split(sums, [models], axis=1)
    drawn = np.where(below > 0, above / np.maximum(below, 1.0), falls)
    error = drawn.std(axis=0)
    off = np.divide(abs(drawn - falls), error, where=error > 0, out=np.zeros_like(drawn))
    half = np.quantile(off.max(axis=1), 0.95) * error
    return float((falls - half).max()), float((falls + half).max())

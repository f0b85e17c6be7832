"""What a model could do once and cannot do now, on prompts that never change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """Of models by name, oldest first. None where no earlier model was scored on a prompt scored now.

    The interval draws prompts and looks for the best anew in each draw, so it is honest about the choice; the
    value itself still leans up, as any maximum over noisy figures does.
    """
    prompts = sorted(pk for pk, outcome in now.items() if outcome is not None)
    known = {name: [outcomes.get(pk) for pk in prompts] for name, outcomes in earlier.items()}
    known = {name: column for name, column in known.items() if any(x is not None for x in column)}
    if not known:
        return None
    current = np.array([now[pk] is True for pk in prompts], dtype=np.float64)
    then = np.array([[x is True for x in column] for column in known.values()], dtype=np.float64)
    both = np.array([[x is not None for x in column] for column in known.values()], dtype=np.float64)
    falls = [_fall(then[i], both[i], current) for i in range(len(known))]
    best = int(np.argmax(falls))
    solved_then: list[bool] = (then.max(axis=0) > 0).tolist()
    names = list(known)
    return Forgetting(
        value=float(falls[best]),
        ci95=_interval(then, both, current, seed),
        best=names[best],
        accuracies={name: float(then[i].sum() / both[i].sum()) for i, name in enumerate(names)},
        n=len(prompts),
        lost=tuple(pk for pk, was, is_ in zip(prompts, solved_then, current, strict=True) if was and not is_),
        solved=tuple(pk for pk, was in zip(prompts, solved_then, strict=True) if was),
    )


def _fall(then: Floats, both: Floats, current: Floats) -> float:
    return float((then - both * current).sum() / both.sum())


def _interval(then: Floats, both: Floats, current: Floats, seed: int) -> tuple[float, float] | None:
    """A column of falls and one of prompts for each earlier model; the statistic is the greatest ratio."""
    models = len(then)

    def greatest(*sums: Floats) -> Floats:
        falls: Sequence[Floats] = [sums[i] / sums[models + i] for i in range(models)]
        return np.asarray(np.fmax.reduce(falls))

    return Resamples(len(current), seed=seed).interval(greatest, *(then - both * current), *both)

"""A group of metrics for tests of measuring itself: it takes the place of all real ones."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from loop.evaluate.metric import Metric, Value
from loop.stages import Stage
from webapp.iterations.models import WorkUnit
from webapp.metrics import measures
from workers.stages import measure


def metric(name: str, version: int = 1) -> Metric:
    return Metric(name, name.capitalize(), "share", "up", "c / n", "by hand", version)


def group(name: str, *metrics: Metric, **by_stage: Callable[..., Iterable[Value]]) -> SimpleNamespace:
    """``generate=function`` and so on."""
    found = {Stage(stage): measure for stage, measure in by_stage.items()}
    return SimpleNamespace(GROUP=name, ORDER=1, METRICS=metrics, MEASURES=found)


@contextmanager
def groups(*these: SimpleNamespace) -> Iterator[None]:
    """Only these groups exist."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "groups", lambda: these)
        _forget()
        yield
    _forget()


def _forget() -> None:
    measures.metrics.cache_clear()
    measures.edition.cache_clear()


class Lease:
    def report(self, **_: object) -> None:
        pass

    def check(self) -> None:
        pass


def run(claimed: WorkUnit) -> None:
    """What a worker does with a measure unit, without its heartbeat thread."""
    unit = WorkUnit.objects.select_related("iteration__project").get(pk=claimed.pk)
    unit.token = claimed.token
    measure.run(unit, Lease())

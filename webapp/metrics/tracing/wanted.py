"""Where in the lineage somebody stands, as in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from webapp.annotate.searching import whole_of
from webapp.registry.comparing import ALL, SHOWS

LISTS = ("prompts", "examples", "answers")
# Of the prompts that were sampled: which, by their samples.
NARROWED = ("solve_none", "solve_some", "solve_all", "majority_wrong", "kept")
SORTS = ("hardest", "easiest", "longest", "answers")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to show. What cannot be understood in an address counts as not said.

    The deepest thing named is shown; those above it are the way back.
    """

    metric: str = ""
    iteration: int | None = None
    show: str = ""  # one of LISTS
    of: str = ""  # of the prompts: one of SHOWS or NARROWED
    sort: str = ""
    source: int | None = None  # of the examples: the iteration that made them
    prompt: int | None = None
    response: str = ""
    example: int | None = None
    annotation: int | None = None
    before: int | None = None  # in a list of examples or answers: the last one on the page before
    page: int | None = None  # in a list of prompts
    far: bool = False  # look through every dataset version that may have replayed a row

    @classmethod
    def of_query(cls, given: Mapping[str, str]) -> Wanted:
        def one_of(key: str, known: tuple[str, ...]) -> str:
            return given.get(key, "") if given.get(key, "") in known else ""

        def whole(key: str, most: int = 2**62) -> int | None:
            return whole_of(given.get(key, ""), 1, most)

        return cls(
            metric=given.get("metric", "").replace("\0", "")[:60],
            iteration=whole("iteration", 10**6),
            show=one_of("show", LISTS),
            of=one_of("of", (*SHOWS, ALL, *NARROWED)),
            sort=one_of("sort", SORTS),
            source=whole("source", 10**6),
            prompt=whole("prompt"),
            response=_uuid(given.get("response", "")),
            example=whole("example"),
            annotation=whole("annotation"),
            before=whole("before"),
            page=whole("page", 10**6),
            far=given.get("far") == "True",
        )

    def address(self, **changes: Any) -> str:
        """The query of this place with changes; None leaves a part out."""
        said = {f.name: getattr(self, f.name) for f in fields(self)} | changes
        return "?" + urlencode({key: value for key, value in said.items() if value})

    def number(self) -> str:
        """The address of the number itself."""
        return Wanted(self.metric, self.iteration).address()

    def listed(self, show: str, **changes: Any) -> str:
        """The address of one of the lists below the number, at its beginning."""
        return Wanted(self.metric, self.iteration, show=show).address(**changes)


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return ""

"""One example with all it came from and all that was made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404

from webapp.annotate.models import Annotation
from webapp.curate.composing import ages_of
from webapp.curate.listing import visible
from webapp.curate.models import DatasetVersion, Example, Writer
from webapp.projects.models import Project


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage of what is learned; ``masked``: read, but not learned."""

    text: str
    masked: bool


def example_for(project: Project, pk: int) -> Example:
    """The example, if the user may see it (`project_for` was the check for the project).

    Raises:
        Http404: there is none, or its prompt is being asked about and the user is no lead.
    """
    examples = visible(project, Example.objects.filter(project=project))
    found = (
        examples.select_related(
            "prompt",
            "iteration",
            "model_version",
            "rejected__rejection__by",
            "response__author",
            "response__parent",
        )
        .defer("response__token_ids", "response__logprobs")
        .defer("response__parent__token_ids", "response__parent__logprobs")
        .filter(pk=pk)
        .first()
    )
    if found is None:
        raise Http404(f"{project} has no example {pk} that you may see.")
    return found


def pieces_of(row: dict[str, Any]) -> list[Piece]:
    """What the row teaches, cut where passages are masked."""
    text, pieces, at = row.get("chosen", ""), [], 0
    for start, end in sorted(row.get("masked") or ()):
        pieces += [Piece(text[at:start], False), Piece(text[start:end], True)]
        at = end
    pieces.append(Piece(text[at:], False))
    return [piece for piece in pieces if piece.text]


def answers_behind(example: Example) -> list[Annotation]:
    """The annotations it rests on, oldest first."""
    return list(
        example.annotations.select_related("user", "task", "guideline_version").order_by("created_at", "id")
    )


def versions_with(example: Example) -> list[DatasetVersion]:
    """Dataset versions that list the example, with the models trained on each: two queries."""
    listed = DatasetVersion.objects.filter(
        project=example.project_id, example_ids__contains=[example.pk], created_at__gte=example.created_at
    )
    listed = listed.defer(*DatasetVersion.LISTS).order_by("number")
    return list(listed.prefetch_related("models", "iteration"))


def age_in_words(project: Project, example: Example) -> str:
    """ "people", "unknown", or how many champions ago, as a number."""
    if example.writer == Writer.PERSON:
        return "people"
    age = ages_of(project).get(example.model_version_id or 0)
    return "unknown" if age is None else str(age)

"""What people and the model's critic say of an iteration's responses: a few columns of each critique."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from django.db.models import F, Q

from loop.annotate.aggregate import agreed_critique
from loop.annotate.reliability import Judged
from loop.evaluate.critics import Said
from loop.recipe_parts import AnnotatePart
from loop.records import Author, Critique, Origin, Verdict
from webapp.annotate.models import TaskPurpose
from webapp.curate.selectors import final_alone
from webapp.iterations.models import Iteration
from webapp.iterations.services.selection import UNIFORM_ALREADY
from webapp.traces import models as traces

CHUNK = 5000


class Word(NamedTuple):
    """People's agreed judgement of one response."""

    prompt: int
    judged: Judged

    @property
    def right(self) -> bool | None:
        """None: they are not sure. Who marks a first error does not call it right."""
        return Said(self.judged.verdict, self.judged.first_error).right


def people_said(iteration: Iteration) -> dict[UUID, Word]:
    """By response: the final word where there is one, else what most people say; none where they disagree."""
    rows = (
        traces.Critique.objects.filter(response__iteration=iteration, author_kind=Author.PERSON.value)
        .annotate(word=F("annotation__task__adjudication"), prompt=F("response__prompt_id"))
        .only("id", "response_id", "author_kind", "final", "verdict", "first_error")
        .order_by("created_at", "id")
    )
    votes: dict[UUID, list[Critique]] = defaultdict(list)
    prompts: dict[UUID, int] = {}
    for row in final_alone(rows.iterator(chunk_size=CHUNK), lambda c: c.response_id):
        prompts[row.response_id] = row.prompt  # type: ignore[attr-defined]
        vote = Critique(
            str(row.pk), str(row.response_id), Author.PERSON, (), row.first_error, Verdict(row.verdict)
        )
        votes[row.response_id].append(vote)
    found = {}
    for response, said in votes.items():
        if (agreed := agreed_critique(said).critique) is not None:
            found[response] = Word(prompts[response], Judged(agreed.verdict, agreed.first_error))
    return found


def critic_said(iteration: Iteration, responses: Iterable[UUID] | None = None) -> dict[UUID, Said]:
    """The model's latest critique of each response that it wrote from the start; unreadable ones too."""
    rows = traces.Critique.objects.filter(
        response__iteration=iteration, response__origin=Origin.SAMPLE.value, author_kind=Author.MODEL.value
    )
    if responses is not None:
        rows = rows.filter(response__in=list(responses))
    columns = rows.order_by("created_at", "id").values_list("response_id", "verdict", "first_error", "parsed")
    return {
        response: Said(Verdict(verdict), first, parsed)
        for response, verdict, first, parsed in columns.iterator(chunk_size=CHUNK)
    }


def drawn_uniformly(iteration: Iteration) -> set[UUID]:
    """Responses that people were asked about by chance alone: what stands for all others."""
    part = AnnotatePart.model_validate(iteration.recipe.get("annotate") or {})
    tasks = iteration.tasks.filter(purpose=TaskPurpose.LABEL, response__isnull=False)
    # Of two critiques those are asked about first that contradict each other, whatever the order.
    contradicted_first = part.kind == "critique_review" and part.critiques > 1
    if part.order not in UNIFORM_ALREADY or contradicted_first:
        tasks = tasks.filter(Q(meta__control=True))
    return set(tasks.values_list("response_id", flat=True))

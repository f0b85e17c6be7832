"""Reads that curation stands on: everything known about an iteration's prompts, as loop records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeVar

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from loop import records
from loop.annotate.aggregate import agreed_critique
from loop.curate import Material
from webapp.annotate.models import Annotation, AnnotationTask, TaskPurpose
from webapp.curate.models import Example
from webapp.projects.models import Project
from webapp.traces.models import Critique, Preference, Response, Score

PROMPTS_AT_ONCE = 500


def materials_of(iteration_id: int, *, tokens: bool = False) -> list[Material]:
    """One `Material` per prompt the iteration sampled, in prompt order."""
    return [material for part in material_parts(iteration_id, tokens=tokens) for material in part]


def material_parts(iteration_id: int, *, tokens: bool = False) -> Iterator[list[Material]]:
    """`materials_of` in parts of `PROMPTS_AT_ONCE` prompts; a constant number of queries per part.

    A part is read when it is asked for, so that memory does not grow with the iteration. ``tokens``: with
    the responses' token ids and log-probabilities, the bulk of a row, which only outcome rows carry.
    """
    sampled = Response.objects.filter(iteration_id=iteration_id)
    ids = list(sampled.order_by("prompt_id").values_list("prompt_id", flat=True).distinct())
    for start in range(0, len(ids), PROMPTS_AT_ONCE):
        some = {"iteration_id": iteration_id, "prompt_id__in": ids[start : start + PROMPTS_AT_ONCE]}
        yield _materials(some, Preference.objects.filter(**some), tokens)


def outside_tasks(project: Project, iteration_id: int, *, fresh: bool = True) -> QuerySet[AnnotationTask]:
    """Tasks of no iteration (imported, or asked for beside them) on train prompts, with accepted answers.

    ``fresh``: with answers that no other iteration has made examples of. Else: with those that this one has,
    which is what its control arm reads.
    """
    rests = Example.annotations.through.objects.filter(annotation=OuterRef("pk"))
    answers = Annotation.objects.filter(
        task=OuterRef("pk"),
        outcome=Annotation.Outcome.ANSWERED,
        state__in=[Annotation.State.SUBMITTED, Annotation.State.ACCEPTED],
    )
    mine = Q(example__iteration=iteration_id)
    wanted = answers.filter(~Exists(rests.exclude(mine)) if fresh else Exists(rests.filter(mine)))
    tasks = AnnotationTask.objects.filter(project=project, iteration=None, purpose=TaskPurpose.LABEL)
    return tasks.filter(Exists(wanted), prompt__split=records.Split.TRAIN.value, answers__gt=0)


def outside_parts(tasks: QuerySet[AnnotationTask], *, tokens: bool = False) -> Iterator[list[Material]]:
    """What these `outside_tasks` are about, with all that is said of it, in parts as `material_parts`."""
    about: dict[int, set[Any]] = defaultdict(set)
    for prompt, one, several in tasks.values_list("prompt_id", "response_id", "response_ids"):
        about[prompt] |= {pk for pk in (one, *several) if pk is not None}
    ids = sorted(about)
    for start in range(0, len(ids), PROMPTS_AT_ONCE):
        prompts = ids[start : start + PROMPTS_AT_ONCE]
        responses = {pk for prompt in prompts for pk in about[prompt]}
        compared = Preference.objects.filter(prompt_id__in=prompts, annotation__task__iteration=None)
        yield _materials({"id__in": responses}, compared, tokens)


def _materials(some: dict[str, Any], compared: QuerySet[Preference], tokens: bool) -> list[Material]:
    """Of these responses, and of comparisons between them."""
    responses = (
        Response.objects.filter(**some).select_related("prompt").order_by("prompt_id", "created_at", "id")
    )
    if not tokens:
        responses = responses.defer("token_ids", "logprobs")
    prompts: dict[int, records.Prompt] = {}
    by_prompt: dict[int, list[records.Response]] = defaultdict(list)
    home: dict[Any, int] = {}
    for row in responses:
        if row.prompt_id not in prompts:
            prompts[row.prompt_id] = row.prompt.record()
        by_prompt[row.prompt_id].append(row.record(tokens=tokens))
        home[row.pk] = row.prompt_id
    of_these = {f"response__{name}": value for name, value in some.items()}
    scores: dict[int, list[records.Score]] = defaultdict(list)
    for score in Score.objects.filter(**of_these).order_by("id"):
        scores[home[score.response_id]].append(score.record())
    models: dict[int, list[records.Critique]] = defaultdict(list)
    people: dict[int, list[records.Critique]] = defaultdict(list)
    critiques = _settled(Critique.objects.filter(**of_these)).order_by("created_at", "id")
    for critique in final_alone(critiques, lambda c: c.response_id):
        by_person = critique.author_kind == records.Author.PERSON.value
        (people if by_person else models)[home[critique.response_id]].append(critique.record())
    preferences: dict[int, list[records.Preference]] = defaultdict(list)
    of_critiques: dict[int, list[records.Preference]] = defaultdict(list)
    by_people = compared.filter(author_kind=records.Author.PERSON.value)
    for preference in final_alone(
        _settled(by_people).order_by("created_at", "id"),
        lambda p: frozenset(p.critique_ids or p.response_ids),
    ):
        kind = of_critiques if preference.critique_ids else preferences
        kind[preference.prompt_id].append(preference.record())
    return [
        Material(
            prompts[pk],
            tuple(by_prompt[pk]),
            tuple(scores[pk]),
            tuple(models[pk]),
            tuple(people[pk]),
            tuple(preferences[pk]),
            tuple(of_critiques[pk]),
        )
        for pk in sorted(prompts)
    ]


T = TypeVar("T", Critique, Preference)


def _settled(rows: QuerySet[T]) -> QuerySet[T]:
    """Each row with ``word``: the adjudication of the task that its vote was given on, if there is one."""
    return rows.annotate(word=F("annotation__task__adjudication"))


def final_alone(rows: Iterable[T], about: Callable[[T], Hashable]) -> list[T]:
    """The rows that count: where people's words about the same thing include a final one, only that.

    A vote does not count either when the final word set its task aside, which leaves no row of its own.
    Rows come from `_settled`; what models and programs said is none of this. Keeps the order.
    """
    rows = list(rows)
    final = {about(row) for row in rows if row.final}
    return [
        row
        for row in rows
        if row.final
        or row.author_kind != records.Author.PERSON.value
        or (row.word is None and about(row) not in final)  # type: ignore[attr-defined]
    ]


def corrected_critique_ids(iteration: Any) -> list[str]:
    """One critique per response on whose first error people agree: where to continue from."""
    by_response: dict[Any, list[Critique]] = defaultdict(list)
    said = Critique.objects.filter(
        response__iteration=iteration, author_kind=records.Author.PERSON.value
    ).order_by("response_id", "created_at", "id")
    for critique in final_alone(_settled(said), lambda c: c.response_id):
        by_response[critique.response_id].append(critique)
    chosen = []
    for rows in by_response.values():
        agreed = agreed_critique([c.record() for c in rows]).critique
        if agreed is not None and agreed.first_error is not None:
            chosen.append(agreed.id if agreed.id in {str(c.pk) for c in rows} else str(rows[0].pk))
    return chosen


def judged_responses(critique_ids: list[str]) -> list[tuple[records.Response, records.Critique]]:
    """Responses with the people's critique to continue from, in the order given."""
    rows = Critique.objects.select_related("response").in_bulk(critique_ids)
    by_id = {str(pk): row for pk, row in rows.items()}
    return [(by_id[pk].response.record(), by_id[pk].record()) for pk in critique_ids]


def annotation_ids(source_ids: set[str]) -> dict[str, int]:
    """The annotation behind each critique or preference id that has one: of a final word, the vote that
    it was based on."""
    found: dict[str, int] = {}
    for model in (Critique, Preference):
        rows = model.objects.filter(pk__in=source_ids).values_list(
            "pk", Coalesce("annotation_id", "adjudication__based_on_id")
        )
        found |= {str(pk): annotation for pk, annotation in rows if annotation}
    return found

"""A raw export back into a project that is empty: the same state, so that it exports as the same file."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any, BinaryIO
from uuid import UUID, uuid4, uuid5

import orjson
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import connection, transaction
from django.db.models import DateField, DateTimeField, Field, ForeignKey, Model, UUIDField

from loop.records import Author
from webapp.accounts.models import User
from webapp.annotate import raw
from webapp.annotate.models import Annotation, AnnotationTask, Assignment, TaskPurpose
from webapp.annotate.services.answers import comparison_of, judgement_of
from webapp.annotate.services.rows import Rows, ids_take
from webapp.projects.models import GuidelineVersion, Project, Prompt, PromptFamily
from webapp.projects.services.prompts import imports_wait
from webapp.projects.services.setup import audit_record
from webapp.traces.models import Critique, Preference, Response

BATCH = 1000  # lines
_COUNTED = (Annotation.State.SUBMITTED, Annotation.State.ACCEPTED)
_SHAPES = {shape.key: shape for shape in raw.LINES}


class RestoreRefused(ValueError):
    """A file that cannot be imported; nothing was stored."""


@dataclass(slots=True)
class RestoreReport:
    prompts: int = 0
    responses: int = 0
    tasks: int = 0
    answers: int = 0
    people_made: int = 0  # accounts that cannot sign in until somebody gives them a password
    models_unknown: int = 0  # responses and critiques of models that this project does not have

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@transaction.atomic
def annotations_import(*, project: Project, stream: BinaryIO, by: User | None = None) -> RestoreReport:
    """Import a raw export, all or nothing.

    People are found by username, and made (without a password) where there are none. Ids of responses,
    critiques and regenerations are kept where the database has no response yet; else they are derived from
    the project and the old id, as they may be taken. A task whose iteration is not here keeps its number.

    Raises:
        RestoreRefused: the project is not empty, or a line cannot be used.
    """
    imports_wait(project)
    _empty_check(project)
    restore = _Restore(project)
    number = 0
    try:
        for batch in _batches(stream):
            number = batch[0][0]
            restore.lines(batch)
    except (KeyError, TypeError, IndexError, ValueError) as error:
        if isinstance(error, RestoreRefused):
            raise
        why = f"lines from {number} on do not fit a raw export ({type(error).__name__}: {error})"
        raise RestoreRefused(f"{why}. Nothing was imported.") from error
    if not restore.begun:
        raise RestoreRefused("line 1: expected the line of the project that begins a raw export.")
    report = restore.report
    audit_record(project=project, actor=by, verb="annotations imported", data=report.as_dict())
    return report


def _empty_check(project: Project) -> None:
    held = {
        "prompts": Prompt.objects.filter(project=project),
        "tasks": AnnotationTask.objects.filter(project=project),
        "guidelines": GuidelineVersion.objects.filter(project=project),
        "queues": project.queues.all(),
    }
    there = [name for name, rows in held.items() if rows.exists()]
    if there:
        raise RestoreRefused(
            f"{project} has {' and '.join(there)} already: a raw export needs an empty project."
        )


def _batches(stream: BinaryIO) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    def parsed() -> Iterator[tuple[int, dict[str, Any]]]:
        for number, raw_line in enumerate(stream, 1):
            if raw_line.isspace():
                continue
            try:
                line = orjson.loads(raw_line)
            except orjson.JSONDecodeError as error:
                raise RestoreRefused(
                    f"line {number}: not JSON: {error.msg}. Nothing was imported."
                ) from error
            if type(line) is not dict or not isinstance(line.get("type"), str):
                raise RestoreRefused(f"line {number}: expected an object with a type. Nothing was imported.")
            yield number, line

    lines = parsed()
    while batch := list(islice(lines, BATCH)):
        yield batch


class _Restore:
    """The names of a file and the keys they have here, kept from batch to batch."""

    def __init__(self, project: Project) -> None:
        self.project, self.report = project, RestoreReport()
        self.begun = False
        self.keep_ids = not Response.objects.exists()
        self.people: dict[str, int] = {}
        self.guidelines: dict[int, int] = {}
        models = apps.get_model("registry", "ModelVersion")._default_manager.filter(project=project)
        self.models: dict[str, int] = dict(models.values_list("name", "id"))
        iterations = apps.get_model("iterations", "Iteration")._default_manager.filter(project=project)
        self.iterations: dict[int, int] = dict(iterations.values_list("number", "id"))
        self.tasks = array("q")  # place in the file, from 0 -> key
        self.prompts: dict[str, int] = {}  # of the batch

    # ------------------------------------------------------------------------------------------ lines
    def lines(self, batch: Sequence[tuple[int, dict[str, Any]]]) -> None:
        """Store a batch, one kind of line after the other as they come."""
        run: list[dict[str, Any]] = []
        for number, line in batch:
            if not self.begun:
                if line["type"] != "project" or line.get("version") != raw.VERSION:
                    raise RestoreRefused(
                        f"line {number}: expected the line that begins a raw export of version {raw.VERSION}."
                    )
                self.begun = True
                continue
            if run and run[0]["type"] != line["type"]:
                self._run(run)
                run = []
            run.append(line)
        if run:
            self._run(run)

    def _run(self, lines: list[dict[str, Any]]) -> None:
        kind = lines[0]["type"]
        if kind == "person":
            self._people(lines)
            return
        if kind not in _SHAPES:
            raise RestoreRefused(f"There is no line of the type {kind!r} in a raw export.")
        if kind == "prompt":
            self._families(lines)
        if kind == "task":
            shas = {line["prompt"] for line in lines}
            found = Prompt.objects.filter(project=self.project, content_sha__in=shas)
            self.prompts = dict(found.values_list("content_sha", "id"))
        with connection.cursor() as cursor:
            self._rows(cursor, _SHAPES[kind], [(line, self.project.pk) for line in lines])
        if kind == "task":
            self._derive(lines)

    def _people(self, lines: Sequence[Mapping[str, Any]]) -> None:
        here = dict(
            User.objects.filter(username__in=[p["username"] for p in lines]).values_list("username", "id")
        )
        for person in lines:
            if person["username"] not in here:
                made = User(username=person["username"], is_simulated=person["program"])
                made.set_unusable_password()
                made.save()
                here[made.username] = made.pk
                self.report.people_made += 1
        self.people |= here

    def _families(self, lines: Sequence[Mapping[str, Any]]) -> None:
        families = {line["family"]: line["split"] for line in lines}
        PromptFamily.objects.bulk_create(
            [PromptFamily(project=self.project, family=f, split=s) for f, s in families.items()],
            ignore_conflicts=True,
        )

    # ------------------------------------------------------------------------------------------- rows
    def _rows(self, cursor: Any, shape: raw.Shape, said: Sequence[tuple[dict[str, Any], Any]]) -> None:
        """Store rows and what is nested in them; ``said``: each with the key of the row above."""
        if not said:
            return
        model, primary = shape.model, shape.model._meta.pk
        serial = not isinstance(primary, UUIDField | ForeignKey)
        ids: Iterable[Any] = (
            ids_take(cursor, model, len(said)) if serial else [self._id(r["id"]) for r, _ in said]
        )
        columns = [f.name for f in model._meta.concrete_fields]
        rows = Rows(model, columns, {})
        for (row, above), pk in zip(said, ids, strict=True):
            row["pk"] = pk
            for child in shape.children:
                for nested in _nested(row, child):
                    nested["above"] = row
            values = self._values(shape, row, above)
            rows.add(*(rows.packed(f, values[f.name]) for f in model._meta.concrete_fields))
            if model is AnnotationTask:
                self.tasks.append(pk)
        rows.write(cursor)
        self._count(model, len(said))
        for child in shape.children:
            below = [(nested, row["pk"]) for row, _ in said for nested in _nested(row, child)]
            self._rows(cursor, child, below)

    def _values(self, shape: raw.Shape, row: dict[str, Any], above: Any) -> dict[str, Any]:
        said = {column.name for column in shape.columns()}
        values: dict[str, Any] = {}
        for column in shape.model._meta.concrete_fields:
            name = column.name
            if column.primary_key:
                values[name] = row["pk"]
            elif name == shape.parent:
                values[name] = above
            elif isinstance(column, ForeignKey) and column.related_model is Project:
                values[name] = self.project.pk
            elif name not in said:
                values[name] = None if isinstance(column, ForeignKey) or column.null else self._made(column)
            else:
                values[name] = self._value(shape.model, column, row)
        if shape.model is AnnotationTask and row["iteration"] is not None and values["iteration"] is None:
            values["meta"] = values["meta"] | {raw.ITERATION: row["iteration"]}
        return values

    def _made(self, column: Field) -> Any:
        return uuid4() if isinstance(column, UUIDField) else column.get_default()

    def _value(self, model: type[Model], column: Field, row: dict[str, Any]) -> Any:
        value = row[column.name]
        if value is None:
            return None
        if isinstance(column, ForeignKey):
            return self._key(column.related_model, value, row)
        if isinstance(column, UUIDField):
            return self._id(value)
        if isinstance(column, DateTimeField):
            return datetime.fromisoformat(value)
        if isinstance(column, DateField):
            return date.fromisoformat(value)
        if isinstance(column, ArrayField) and isinstance(column.base_field, UUIDField):
            return [self._id(v) for v in value]
        if not self.keep_ids and column.name in ("payload", "shown", "branches"):
            return self._renamed(value)
        return value

    def _key(self, target: Any, value: Any, row: dict[str, Any]) -> Any:
        """The key of what a reference names; None for an iteration or a model that is not here."""
        if target is User:
            return self.people[value]
        if target is GuidelineVersion:
            return self.guidelines_key(value)
        if target is Prompt:
            return self.prompts[value]
        if target is AnnotationTask:
            return self.tasks[value - 1]
        if target is Assignment or target is Annotation:
            key = "assignments" if target is Assignment else "annotations"
            return next(one["pk"] for one in row["above"][key] if one["user"] == value)
        if target is apps.get_model("iterations", "Iteration"):
            return self.iterations.get(value)
        if target is apps.get_model("registry", "ModelVersion"):
            self.report.models_unknown += value not in self.models
            return self.models.get(value)
        return self._id(value)

    def guidelines_key(self, number: int) -> int:
        if number not in self.guidelines:
            versions = GuidelineVersion.objects.filter(project=self.project)
            self.guidelines = dict(versions.values_list("number", "id"))
        return self.guidelines[number]

    def _id(self, value: str) -> UUID:
        if self.keep_ids:
            return UUID(value)
        # the same old id gives the same new one, whichever line names it
        return uuid5(UUID(value), f"project {self.project.pk}")

    def _renamed(self, value: Any) -> Any:
        """A payload whose references to responses and critiques name them as they are named here."""
        if isinstance(value, list):
            return [self._renamed(v) for v in value]
        if not isinstance(value, dict):
            return value
        return {
            k: str(self._id(v))
            if k in ("response", "model_critique") and isinstance(v, str)
            else self._renamed(v)
            for k, v in value.items()
        }

    def _count(self, model: type[Model], stored: int) -> None:
        counted = {Prompt: "prompts", Response: "responses", AnnotationTask: "tasks", Annotation: "answers"}
        if name := counted.get(model):
            setattr(self.report, name, getattr(self.report, name) + stored)

    # ------------------------------------------------------------------------------- the loop's records
    def _derive(self, lines: Sequence[dict[str, Any]]) -> None:
        """Critiques and preferences as answers and final words leave them, under the ids they had."""
        made: dict[type[Model], list[Any]] = {Critique: [], Preference: []}
        for line in lines:
            task = AnnotationTask(
                kind=line["kind"],
                prompt_id=self.prompts[line["prompt"]],
                iteration_id=self.iterations.get(line["iteration"]) if line["iteration"] else None,
                response_id=self._id(line["response"]) if line["response"] else None,
                response_ids=[self._id(v) for v in line["response_ids"]],
                critique_ids=[self._id(v) for v in line["critique_ids"]],
            )
            for answer in line["annotations"]:
                counts = answer["state"] in _COUNTED and line["purpose"] == TaskPurpose.LABEL
                who = {"annotation_id": answer["pk"], "author_id": self.people[answer["user"]]}
                self._record(made, task, answer, who, counts=counts)
            if word := line["adjudication"]:
                who = {"adjudication_id": word["pk"], "author_id": self.people[word["author"]], "final": True}
                self._record(made, task, word, who, counts=True)
        for model, rows in made.items():
            model._default_manager.bulk_create(rows, batch_size=BATCH)

    def _record(
        self,
        made: dict[type[Model], list[Any]],
        task: AnnotationTask,
        answer: dict[str, Any],
        who: dict[str, Any],
        *,
        counts: bool,
    ) -> None:
        if not counts or answer["outcome"] != Annotation.Outcome.ANSWERED:
            return
        payload = answer["payload"] if self.keep_ids else self._renamed(answer["payload"])
        who = who | {"author_kind": Author.PERSON.value}
        for model, of in ((Critique, judgement_of), (Preference, comparison_of)):
            values = of(task, payload)
            if values is not None:
                name = model.__name__.lower()
                key = self._id(answer[name]) if answer[name] else uuid4()
                made[model].append(model(id=key, **values, **who))


def _nested(row: Mapping[str, Any], child: raw.Shape) -> list[dict[str, Any]]:
    found = row[child.key]
    if child.single:
        return [found] if found else []
    return list(found)

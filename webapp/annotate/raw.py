"""The raw export's shape: which rows go into a line, and how a row is said without primary keys.

Lines, in this order: ``project``, ``person``, ``guideline`` (with who read it), ``queue``, ``day``,
``prompt`` (with its responses that annotation refers to, and critiques of those), ``task`` (with claims and
drafts, answers with every version and review notes, the final word, flags, regenerations, invitations).

Columns are taken from the models, so that a new one is in the file without a word here. A reference is said
by what names its target within the project: a person by username, guidelines and iterations by number, a
model by name, a prompt by its content, a task by its place among tasks, an answer or claim within its task
by its person. Responses, critiques and regenerations keep their UUIDs. Left out: passwords and addresses,
the tokens that fence writers, and what can be worked out again (search, cursors of queues).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.apps import apps
from django.db.models import Field, ForeignKey, Model

from webapp.accounts.models import User
from webapp.annotate.models import (
    Adjudication,
    Annotation,
    AnnotationRevision,
    AnnotationTask,
    Assignment,
    DayCount,
    Draft,
    Flag,
    Invitation,
    Queue,
    Regeneration,
    ReviewNote,
)
from webapp.projects.models import GuidelineRead, GuidelineVersion, Project, Prompt
from webapp.traces.models import Critique, Preference, Response

VERSION = 1
ITERATION = "iteration"  # of a task whose iteration is not in its project: kept in the task's meta


@dataclass(frozen=True)
class Shape:
    """How rows of one model are said: ``key`` is their place in the row above, ``parent`` refers to it."""

    model: type[Model]
    key: str
    parent: str
    left_out: tuple[str, ...] = ()
    children: tuple[Shape, ...] = ()
    single: bool = False  # one or none, instead of a list
    where: str = "true"  # of {row}
    order: str = "{row}.id"

    def columns(self) -> Iterator[Field]:
        """The columns that are said, in order."""
        for column in self.model._meta.concrete_fields:
            serial = column.primary_key and not column.get_internal_type().startswith("UUID")
            within = isinstance(column, ForeignKey) and column.related_model is Project
            if not serial and not within and column.name not in (self.parent, *self.left_out):
                yield column


RESPONSES = Shape(
    Response,
    "responses",
    "prompt",
    left_out=("iteration",),  # the loop's lineage, which a file of annotation does not carry
    children=(
        Shape(
            Critique,
            "critiques",
            "response",
            left_out=("annotation", "adjudication"),
            where="{row}.annotation_id IS NULL AND {row}.adjudication_id IS NULL",
            order="{row}.created_at, md5({row}.text), {row}.marks, {row}.id",
        ),
    ),
    # Judged, compared, asked for by somebody, or the beginning of one that may be.
    where="""({row}.regeneration_id IS NOT NULL
        OR EXISTS (SELECT 1 FROM annotate_annotationtask t WHERE t.response_id = {row}.id)
        OR EXISTS (SELECT 1 FROM annotate_annotationtask t WHERE t.prompt_id = {row}.prompt_id
            AND {row}.id = ANY(t.response_ids))
        OR EXISTS (SELECT 1 FROM traces_response c WHERE c.parent_id = {row}.id))""",
    order="{row}.created_at, md5({row}.text), {row}.id",
)
TASKS = Shape(
    AnnotationTask,
    "task",
    "project",
    children=(
        Shape(
            Assignment,
            "assignments",
            "task",
            left_out=("token",),
            children=(Shape(Draft, "draft", "assignment", single=True),),
        ),
        Shape(
            Annotation,
            "annotations",
            "task",
            left_out=("submit_key",),
            children=(
                Shape(AnnotationRevision, "revisions", "annotation", order="{row}.number"),
                Shape(ReviewNote, "notes", "annotation"),
            ),
        ),
        Shape(Adjudication, "adjudication", "task", single=True),
        Shape(Flag, "flags", "task"),
        Shape(
            Regeneration,
            "regenerations",
            "task",
            left_out=("token",),
            order="{row}.created_at, {row}.step, {row}.id",
        ),
        Shape(Invitation, "invitations", "task"),
    ),
)
LINES = (
    Shape(
        GuidelineVersion,
        "guideline",
        "project",
        children=(Shape(GuidelineRead, "reads", "version"),),
        order="{row}.number",
    ),
    Shape(Queue, "queue", "project", order="{row}.kind"),
    Shape(DayCount, "day", "project"),
    Shape(
        Prompt,
        "prompt",
        "project",
        children=(RESPONSES,),
        where="EXISTS (SELECT 1 FROM annotate_annotationtask t WHERE t.prompt_id = {row}.id)",
    ),
    TASKS,
)
DERIVED = {Annotation: "annotation", Adjudication: "adjudication"}  # whose loop records keep their ids, too

# What names the target of a reference; {value} is the column.
NAMED = {
    User: "(SELECT username FROM accounts_user WHERE id = {value})",
    GuidelineVersion: "(SELECT number FROM projects_guidelineversion WHERE id = {value})",
    Prompt: "(SELECT content_sha FROM projects_prompt WHERE id = {value})",
    AnnotationTask: "(SELECT place FROM raw_repeated WHERE id = {value})",
    Assignment: "(SELECT username FROM accounts_user u JOIN annotate_assignment s ON s.user_id = u.id"
    " WHERE s.id = {value})",
    Annotation: "(SELECT username FROM accounts_user u JOIN annotate_annotation s ON s.user_id = u.id"
    " WHERE s.id = {value})",
}
REPEATED = """
CREATE TEMP TABLE raw_repeated ON COMMIT DROP AS SELECT id, place FROM (
    SELECT id, row_number() OVER (ORDER BY id) AS place FROM annotate_annotationtask WHERE project_id = %s
) placed WHERE id IN (SELECT repeat_of_id FROM annotate_annotationtask WHERE project_id = %s)
"""


def line_sql(shape: Shape) -> str:
    """One JSON text per row, in order; takes the project's id."""
    row, model = "a", shape.model
    extra = ["'type'", f"'{shape.key}'"]
    if model is AnnotationTask:
        extra += ["'place'", f"row_number() OVER (ORDER BY {row}.id)"]
    return (
        f"SELECT {_object(shape, row, extra)}::text FROM {model._meta.db_table} {row}"  # noqa: S608
        f" WHERE {row}.{shape.parent}_id = %s AND {shape.where.format(row=row)}"
        f" ORDER BY {shape.order.format(row=row)}"
    )


def _object(shape: Shape, row: str, extra: Sequence[str] = ()) -> str:
    parts = list(extra)
    for column in shape.columns():
        parts += [f"'{column.name}'", _value(shape.model, column, row)]
    if shape.model in DERIVED:
        for model in (Critique, Preference):
            name = model.__name__.lower()
            parts.append(f"'{name}'")
            parts.append(
                f"(SELECT id FROM {model._meta.db_table} WHERE {DERIVED[shape.model]}_id = {row}.id)"  # noqa: S608
            )
    for child in shape.children:
        parts += [f"'{child.key}'", _nested(child, row)]
    return f"json_build_object({', '.join(parts)})"


def _nested(shape: Shape, above: str) -> str:
    row = above + "a"
    said = _object(shape, row)
    table = f"{shape.model._meta.db_table} {row} WHERE {row}.{shape.parent}_id = {above}.id"
    table += f" AND {shape.where.format(row=row)}" if shape.where != "true" else ""
    if shape.single:
        return f"(SELECT {said} FROM {table})"  # noqa: S608
    order = shape.order.format(row=row)
    return f"(SELECT coalesce(json_agg({said} ORDER BY {order}), '[]') FROM {table})"  # noqa: S608


def _value(model: type[Model], column: Field, row: str) -> str:
    value = f"{row}.{column.column}"
    if model is AnnotationTask and column.name == "meta":
        return f"{value} - '{ITERATION}'"
    if not isinstance(column, ForeignKey):
        return value
    if column.related_model is apps.get_model("iterations", "Iteration"):
        number = f"(SELECT number FROM iterations_iteration WHERE id = {value})"  # noqa: S608
        kept = f"({row}.meta -> '{ITERATION}')::text::int" if model is AnnotationTask else "null"
        return f"coalesce({number}, {kept})"
    if column.related_model is apps.get_model("registry", "ModelVersion"):
        return f"(SELECT name FROM registry_modelversion WHERE id = {value})"  # noqa: S608
    return NAMED.get(column.related_model, "{value}").format(value=value)

"""Rejections, weights of rows, and what filters and mixtures read of an example, filled in for those there are."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

OFF = "DROP TRIGGER datasetversion_immutable ON curate_datasetversion"
BEFORE = """
CREATE TRIGGER datasetversion_immutable BEFORE UPDATE OF number, sha256, row_count, example_ids, manifest
    ON curate_datasetversion FOR EACH ROW EXECUTE FUNCTION curate_refuse_change()
"""
ON = BEFORE.replace("manifest", "manifest, row_weights")
WRITERS = """
UPDATE curate_example e SET
    writer = CASE WHEN r.id IS NULL THEN CASE WHEN i.champion_id IS NULL THEN 'unknown' ELSE 'model' END
        WHEN r.author_id IS NOT NULL OR r.origin = 'correction' THEN 'person'
        WHEN r.model_version_id IS NOT NULL THEN 'model' ELSE 'unknown' END,
    model_version_id = CASE WHEN r.id IS NULL THEN i.champion_id
        WHEN r.author_id IS NOT NULL OR r.origin = 'correction' THEN NULL ELSE r.model_version_id END
FROM curate_example o
LEFT JOIN traces_response r ON r.id = o.response_id
LEFT JOIN iterations_iteration i ON i.id = o.iteration_id
WHERE o.id = e.id
"""


def texts_fill(apps, schema_editor):
    """The hash of each example's text, as `loop.curate.sameness` makes it."""
    from loop.curate.sameness import text_sha

    examples = apps.get_model("curate", "Example").objects
    last = 0
    while part := list(examples.filter(pk__gt=last).order_by("pk").only("row", "response_id")[:2000]):
        for example in part:
            row = example.row
            example.text_sha = text_sha(row, example.response_id) if "messages" in row else ""
        examples.bulk_update(part, ["text_sha"])
        last = part[-1].pk


def checks_now(apps, schema_editor):
    """Foreign keys that wait for the end would stand in the way of altering the table."""
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Migration(migrations.Migration):
    dependencies = [
        ("curate", "0007_training_side"),
        ("iterations", "0003_training_side"),
        ("projects", "0005_import_indexes"),
        ("registry", "0003_training_side"),
        ("traces", "0005_preference_ranking"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Rejection",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reason", models.TextField()),
                (
                    "filters",
                    models.JSONField(
                        default=dict, help_text="What was chosen, as in the address of the list."
                    ),
                ),
                ("count", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("undone_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.RemoveIndex(
            model_name="example",
            name="curate_exam_project_7832eb_idx",
        ),
        migrations.AddField(
            model_name="datasetversion",
            name="note",
            field=models.CharField(
                blank=True, help_text="Why it was frozen, in a person's words.", max_length=200
            ),
        ),
        migrations.AddField(
            model_name="datasetversion",
            name="row_weights",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.FloatField(),
                default=list,
                help_text="What each row's weight is multiplied by, in order; []: 1 for all.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="example",
            name="model_version",
            field=models.ForeignKey(
                db_index=False,
                help_text="It wrote the response; of a row without one, the iteration's champion. For filters.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="registry.modelversion",
            ),
        ),
        migrations.AddField(
            model_name="example",
            name="text_sha",
            field=models.CharField(
                blank=True, help_text="Equal for rows of the same text (loop.curate.sameness).", max_length=32
            ),
        ),
        migrations.AddField(
            model_name="example",
            name="writer",
            field=models.CharField(
                choices=[("model", "Model"), ("person", "Person"), ("unknown", "Unknown")],
                default="unknown",
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="example",
            name="iteration",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="examples",
                to="iterations.iteration",
            ),
        ),
        migrations.AlterField(
            model_name="example",
            name="project",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="examples",
                to="projects.project",
            ),
        ),
        migrations.AddField(
            model_name="rejection",
            name="by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="rejection",
            name="project",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="rejections", to="projects.project"
            ),
        ),
        migrations.AddField(
            model_name="rejection",
            name="undone_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="example",
            name="rejection",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="examples",
                to="curate.rejection",
            ),
        ),
        migrations.AddIndex(
            model_name="example",
            index=models.Index(fields=["project", "-id"], name="example_list"),
        ),
        migrations.AddIndex(
            model_name="example",
            index=models.Index(fields=["project", "kind", "-id"], name="example_kind"),
        ),
        migrations.AddIndex(
            model_name="example",
            index=models.Index(fields=["project", "accepted_by", "-id"], name="example_source"),
        ),
        migrations.AddIndex(
            model_name="example",
            index=models.Index(fields=["iteration", "-id"], name="example_iteration"),
        ),
        migrations.AddIndex(
            model_name="example",
            index=models.Index(fields=["project", "model_version", "-id"], name="example_model"),
        ),
        migrations.AddIndex(
            model_name="example",
            index=models.Index(fields=["project", "writer", "-id"], name="example_writer"),
        ),
        migrations.AddIndex(
            model_name="example",
            index=models.Index(
                condition=models.Q(("rejection__isnull", False)),
                fields=["project", "-id"],
                name="example_rejected",
            ),
        ),
        migrations.AddIndex(
            model_name="example",
            index=models.Index(
                condition=models.Q(("rejection__isnull", False)),
                fields=["rejection"],
                name="example_rejection",
            ),
        ),
        migrations.RunSQL(OFF, BEFORE),
        migrations.RunSQL(ON, OFF),
        migrations.RunSQL(WRITERS, migrations.RunSQL.noop),
        migrations.RunPython(texts_fill, migrations.RunPython.noop),
        migrations.RunPython(checks_now, migrations.RunPython.noop),
    ]

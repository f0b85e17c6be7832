"""What is rejected stands beside the examples: changing a million rows with all their indexes took minutes."""

import django.db.models.deletion
from django.db import migrations, models

THERE = """
INSERT INTO curate_rejected (example_id, rejection_id)
SELECT id, rejection_id FROM curate_example WHERE rejection_id IS NOT NULL
"""
BACK = """
UPDATE curate_example e SET rejection_id = r.rejection_id FROM curate_rejected r WHERE r.example_id = e.id
"""


def checks_now(apps, schema_editor):
    """Foreign keys that wait for the end would stand in the way of altering the table."""
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Migration(migrations.Migration):
    dependencies = [
        ("curate", "0008_dataset_versions"),
    ]

    operations = [
        migrations.CreateModel(
            name="Rejected",
            fields=[
                (
                    "example",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="rejected",
                        serialize=False,
                        to="curate.example",
                    ),
                ),
                (
                    "rejection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rejected",
                        to="curate.rejection",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(THERE, BACK),
        migrations.RunPython(checks_now, migrations.RunPython.noop),
        migrations.RemoveIndex(model_name="example", name="example_rejected"),
        migrations.RemoveIndex(model_name="example", name="example_rejection"),
        migrations.RemoveField(model_name="example", name="rejection"),
    ]

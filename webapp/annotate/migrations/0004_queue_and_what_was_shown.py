import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotate", "0003_initial"),
        ("projects", "0003_family_lives_in_one_split"),
        ("iterations", "0002_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="assignment",
            name="guideline_version",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="projects.guidelineversion",
            ),
        ),
        migrations.AddField(
            model_name="assignment",
            name="shown",
            field=models.JSONField(
                default=dict, help_text="model_critique: id or null; reference: bool; order."
            ),
        ),
        migrations.AddIndex(
            model_name="annotationtask",
            index=models.Index(
                condition=models.Q(("open_slots__gt", 0), ("state", "open")),
                fields=["project", "-priority", "id"],
                name="task_queue_any",
            ),
        ),
        migrations.AddConstraint(
            model_name="annotationtask",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "preference")),
                fields=("iteration", "response_ids"),
                name="one_preference_task_per_set",
            ),
        ),
    ]

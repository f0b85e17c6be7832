import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("iterations", "0002_initial"), ("projects", "0002_initial")]
    operations = [
        migrations.AddField(
            "workunit",
            "project",
            models.ForeignKey(
                default=0,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="units",
                to="projects.project",
            ),
            preserve_default=False,
        ),
        migrations.AlterField(
            "workunit",
            "iteration",
            models.ForeignKey(
                help_text="Null: asked for by itself.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="units",
                to="iterations.iteration",
            ),
        ),
    ]

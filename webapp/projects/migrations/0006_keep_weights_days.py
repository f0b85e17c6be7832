from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("projects", "0005_import_indexes")]

    operations = [
        migrations.AddField(
            model_name="project",
            name="keep_weights_days",
            field=models.PositiveIntegerField(
                null=True,
                default=90,
                help_text="Weights of held and control versions go after so many days; null: never.",
            ),
        )
    ]

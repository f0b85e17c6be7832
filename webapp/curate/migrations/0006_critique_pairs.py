"""Room for the kind critique_pair. A trigger names the column, and the database alters no such column:
the trigger steps aside and comes back within the same transaction."""

from django.db import migrations, models

OFF = "DROP TRIGGER example_immutable ON curate_example"
ON = """
CREATE TRIGGER example_immutable BEFORE UPDATE OF prompt_id, split, kind, row, row_sha
    ON curate_example FOR EACH ROW EXECUTE FUNCTION curate_refuse_change()
"""


class Migration(migrations.Migration):
    dependencies = [
        ("curate", "0005_examples_are_train_and_datasets_immutable"),
    ]

    operations = [
        migrations.RunSQL(OFF, ON),
        migrations.AlterField(
            model_name="example",
            name="kind",
            field=models.CharField(
                choices=[
                    ("sample", "sample"),
                    ("trajectory", "trajectory"),
                    ("critique", "critique"),
                    ("refinement", "refinement"),
                    ("step_pair", "step_pair"),
                    ("preference", "preference"),
                    ("critique_pair", "critique_pair"),
                ],
                max_length=16,
            ),
        ),
        migrations.RunSQL(ON, OFF),
    ]

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0003_training_side")]

    operations = [
        migrations.AddField(
            model_name="gateuse",
            name="prompt_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                default=list,
                help_text="The held-out prompts it was made on, in order.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="gateuse",
            name="probe_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(),
                default=list,
                help_text="The probe prompts, in order.",
                size=None,
            ),
        ),
    ]

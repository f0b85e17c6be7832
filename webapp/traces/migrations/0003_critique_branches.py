from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("traces", "0002_annotation_workspace")]

    operations = [
        migrations.AddField(
            model_name="critique",
            name="branches",
            field=models.JSONField(
                default=list, help_text="A person's word on alternatives: [{step, response, mark, chosen}]."
            ),
        ),
    ]

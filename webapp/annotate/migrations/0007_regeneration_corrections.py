from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotate", "0006_search_and_agreement")]

    operations = [
        migrations.AddField(
            model_name="regeneration",
            name="corrections",
            field=models.JSONField(default=dict, help_text="Step before -> as the person corrected it."),
        ),
    ]

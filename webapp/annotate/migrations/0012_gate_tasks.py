from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotate", "0011_training_side")]

    operations = [
        migrations.AddIndex(
            model_name="annotationtask",
            index=models.Index(
                condition=models.Q(("open_slots__gt", 0), ("purpose", "gate"), ("state", "open")),
                fields=["project", "kind", "id"],
                name="task_gate",
            ),
        ),
        migrations.AddConstraint(
            model_name="annotationtask",
            constraint=models.UniqueConstraint(
                condition=models.Q(("purpose", "gate")),
                fields=("iteration", "response_ids"),
                name="one_gate_task_per_pair",
            ),
        ),
    ]

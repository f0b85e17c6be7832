"""What services keep beside answers, for the answers that were given before they did."""

from collections import Counter, defaultdict

from django.db import migrations

DAYS = """
INSERT INTO annotate_daycount (user_id, project_id, day, answers, seconds)
SELECT a.user_id, t.project_id, (a.created_at AT TIME ZONE 'UTC')::date, count(*), coalesce(sum(a.seconds), 0)
FROM annotate_annotation a JOIN annotate_annotationtask t ON t.id = a.task_id
WHERE a.shown <> '{}' -- imported ones were given elsewhere
GROUP BY 1, 2, 3 ON CONFLICT DO NOTHING
"""


def disagreements_set(apps, schema_editor):
    """As `webapp.annotate.votes` has it, for the two kinds of task there were."""
    annotations = apps.get_model("annotate", "Annotation").objects.filter(
        task__answers__gt=1, task__disagreement=0, task__purpose="label", state__in=["submitted", "accepted"]
    )
    said = defaultdict(Counter)
    for task, outcome, payload in annotations.values_list("task_id", "outcome", "payload").iterator():
        said[task][_word(outcome, payload)] += 1
    for task, camps in said.items():
        if len(camps) > 1:
            differ = 1 - max(camps.values()) / camps.total()
            apps.get_model("annotate", "AnnotationTask").objects.filter(pk=task).update(
                disagreement=differ, reviewed=False
            )


def _word(outcome, payload):
    if outcome != "answered":
        return outcome
    if "marks" not in payload:
        return (payload.get("winner"), payload.get("all_bad"), payload.get("decision"))
    first = payload.get("first_error")
    return payload.get("verdict") if first is None else first


class Migration(migrations.Migration):
    dependencies = [("annotate", "0009_queues")]

    operations = [
        migrations.RunSQL(DAYS, migrations.RunSQL.noop, elidable=True),
        migrations.RunPython(disagreements_set, migrations.RunPython.noop, elidable=True),
    ]

"""A prompt's (project, family, split) must exist in PromptFamily, where a family has one split."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("projects", "0002_initial")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE projects_prompt ADD CONSTRAINT prompt_family_split_fk "
            "FOREIGN KEY (project_id, family, split) REFERENCES projects_promptfamily (project_id, family, split) "
            "DEFERRABLE INITIALLY IMMEDIATE",
            "ALTER TABLE projects_prompt DROP CONSTRAINT prompt_family_split_fk",
        )
    ]

"""What the database itself refuses: an example of a held-out or probe prompt, and any change to a
frozen dataset version or to the text of an example in one."""

from django.db import migrations

IMMUTABLE = """
CREATE FUNCTION curate_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are immutable', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER datasetversion_immutable BEFORE UPDATE OF number, sha256, row_count, example_ids, manifest
    ON curate_datasetversion FOR EACH ROW EXECUTE FUNCTION curate_refuse_change();
CREATE TRIGGER example_immutable BEFORE UPDATE OF prompt_id, split, kind, row, row_sha
    ON curate_example FOR EACH ROW EXECUTE FUNCTION curate_refuse_change();
"""
MUTABLE = """
DROP TRIGGER datasetversion_immutable ON curate_datasetversion;
DROP TRIGGER example_immutable ON curate_example;
DROP FUNCTION curate_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("curate", "0004_initial"), ("projects", "0003_family_lives_in_one_split")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE curate_example ADD CONSTRAINT example_prompt_is_train_fk "
            "FOREIGN KEY (prompt_id, split) REFERENCES projects_prompt (id, split) DEFERRABLE INITIALLY IMMEDIATE",
            "ALTER TABLE curate_example DROP CONSTRAINT example_prompt_is_train_fk",
        ),
        migrations.RunSQL(IMMUTABLE, MUTABLE),
    ]

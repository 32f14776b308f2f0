"""The database itself refuses to change an entry of the audit log."""

from django.db import migrations

SQLITE = """CREATE TRIGGER audit_append_only BEFORE UPDATE ON projects_auditevent
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END"""
POSTGRESQL = (
    """CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit log is only added to'; END $$""",
    """CREATE TRIGGER audit_append_only BEFORE UPDATE ON projects_auditevent
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()""",
)


def add_trigger(apps, schema_editor):
    for statement in POSTGRESQL if schema_editor.connection.vendor == "postgresql" else (SQLITE,):
        schema_editor.execute(statement, params=None)


def remove_trigger(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER audit_append_only ON projects_auditevent")
        schema_editor.execute("DROP FUNCTION refuse_audit_change()")
    else:
        schema_editor.execute("DROP TRIGGER audit_append_only")


class Migration(migrations.Migration):
    safe_because = "The table is new, and nothing updates it."
    dependencies = [("projects", "0004_audit_log")]
    operations = [migrations.RunPython(add_trigger, remove_trigger)]

from django.db import migrations, models

from spans.index_operations import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False  # indexes are built beside a running platform

    dependencies = [("spans", "0005_usage_parts")]

    operations = [
        AddIndexBeside(
            model_name="spanlog",
            index=models.Index(fields=["trace_row", "span_id"], name="span_log_of_span"),
        ),
        AddIndexBeside(
            model_name="spanlog",
            index=models.Index(
                condition=models.Q(("name__gt", ""), ("severity_number__gte", 17), _connector="OR"),
                fields=["trace_row"],
                name="span_log_events",
            ),
        ),
        AddIndexBeside(
            model_name="spanlog",
            index=models.Index(
                condition=models.Q(("name", "gen_ai.evaluation.result")),
                fields=["received_at", "id"],
                name="span_log_evaluations",
            ),
        ),
    ]

from django.db import migrations

import spans.models


class Migration(migrations.Migration):
    dependencies = [
        ("spans", "0003_log_records"),
    ]

    operations = [
        migrations.AddField(
            model_name="span",
            name="labels",
            field=spans.models.JSONTextField(
                default=None,
                help_text="What the program calls the span (title) and its trace (trace_name, and previews of "
                "trace_input and trace_output), where it does.",
                null=True,
            ),
        ),
    ]

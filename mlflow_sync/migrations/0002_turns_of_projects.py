from django.db import migrations, models
from django.db.models import Q

from spans.index_operations import AddIndexBeside, RemoveIndexBeside


class Migration(migrations.Migration):
    atomic = False  # indexes are built beside a running platform

    dependencies = [("mlflow_sync", "0001_initial")]

    operations = [
        AddIndexBeside(
            model_name="mlflowtrace",
            index=models.Index(
                fields=["project", "next_try_at"], name="mlflow_due_of_project", condition=Q(next_try_at__isnull=False)
            ),
        ),
        AddIndexBeside(
            model_name="mlflowtrace",
            index=models.Index(
                fields=["project", "delete_requested_at"],
                name="mlflow_deleting_of_project",
                condition=Q(delete_requested_at__isnull=False),
            ),
        ),
        RemoveIndexBeside(model_name="mlflowtrace", name="mlflow_due"),
        RemoveIndexBeside(model_name="mlflowtrace", name="mlflow_deleting"),
    ]

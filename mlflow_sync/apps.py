from django.apps import AppConfig


class MlflowSyncConfig(AppConfig):
    name = "mlflow_sync"
    verbose_name = "MLflow mirror"
    default_auto_field = "django.db.models.BigAutoField"

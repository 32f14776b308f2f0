from django.apps import AppConfig


class MlflowSyncConfig(AppConfig):
    name = "mlflow_sync"
    verbose_name = "MLflow mirror"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from mlflow_sync import panels  # noqa: PLC0415  models cannot be imported before the apps are ready
        from projects import audit  # noqa: PLC0415

        erasure = self.get_model("Erasure")
        told = {"kind", "subject_hash", "requested_by"}
        ignored = [field.name for field in erasure._meta.concrete_fields if field.name not in told]
        audit.watch(erasure, name=lambda row: row.subject_hash[:12], ignored=ignored)
        panels.register()

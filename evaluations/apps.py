from django.apps import AppConfig


class EvaluationsConfig(AppConfig):
    name = "evaluations"

    def ready(self) -> None:
        from evaluations import panels  # noqa: PLC0415 - it needs the models

        panels.register()

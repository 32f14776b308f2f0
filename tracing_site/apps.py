import logging
import threading

from django.apps import AppConfig


class TracingSiteConfig(AppConfig):
    name = "tracing_site"
    verbose_name = "Tracing site"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Once the apps are there: checks register by being imported.
        from tracing_site import checks, logs, owner_only  # noqa: F401, PLC0415

        owner_only.close_to_others()
        threading.excepthook = logs.log_thread_failure
        logging.raiseExceptions = False  # its report of a failed log call prints the call's arguments

from importlib import import_module

from django.apps import AppConfig, apps
from django.utils.module_loading import module_has_submodule

from worker.known_jobs import refuse_pickle


class WorkerConfig(AppConfig):
    name = "worker"
    verbose_name = "Worker"

    def ready(self) -> None:
        refuse_pickle()
        # From the lowest app up, as INSTALLED_APPS names them from the highest down: a lane does the upkeep of tables
        # before what is built on them.
        for config in reversed(list(apps.get_app_configs())):
            if config.module and module_has_submodule(config.module, "tasks"):
                import_module(f"{config.name}.tasks")

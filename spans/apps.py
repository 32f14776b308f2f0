from typing import Any

from django.apps import AppConfig
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate

from spans import case_folding


class SpansConfig(AppConfig):
    name = "spans"
    verbose_name = "Spans"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        case_folding.register()
        connection_created.connect(case_folding.add_function)
        pre_migrate.connect(set_auto_vacuum, sender=self)
        post_migrate.connect(create_partitions, sender=self)
        connection_created.connect(remove_regexp)
        from projects import audit  # noqa: PLC0415  as below

        for name in ("MappingRule", "ModelPrice"):
            audit.watch(self.get_model(name))


def set_auto_vacuum(using: str, **_: Any) -> None:
    """Before the first `migrate` of a SQLite file, because the setting counts in empty files only."""
    from spans import vacuum  # noqa: PLC0415  as below

    vacuum.set_auto_vacuum(using)


def create_partitions(**_: Any) -> None:
    """After every `migrate`, so that the first span of a new database meets its partition."""
    from spans import partitions  # noqa: PLC0415  models cannot be imported before the apps are ready

    partitions.create_partitions()


def remove_regexp(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Django gives SQLite Python's `re` as REGEXP: one pattern of somebody's could hold the whole process for ever."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("regexp", 2, _refuse_regexp)


def _refuse_regexp(pattern: object, text: object) -> bool:
    raise ValueError("regular expressions are not matched in SQLite")

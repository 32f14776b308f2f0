"""What the worker does for the table of spans."""

from projects.background_work import register_task
from spans.partitions import create_partitions
from spans.vacuum import empty_log


def empty_database_log() -> None:
    """What people and programs deleted leaves SQLite's log as well."""
    empty_log()


register_task("upkeep", 3600, create_partitions)
register_task("summaries", 60, empty_database_log)

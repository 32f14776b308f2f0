"""What the worker does for accounts and keys."""

from django.core.management import call_command

from projects.audit import delete_expired_events
from projects.background_work import register_task

HOUR = 3600


def clear_sessions() -> None:
    """Delete the sessions of people that have expired."""
    call_command("clearsessions")


register_task("upkeep", HOUR, delete_expired_events)
register_task("upkeep", HOUR, clear_sessions)

"""What the worker does for traces: what ingest left for later, and expiry."""

from projects.background_work import register_task
from traces.ingest.receipts import delete_expired_receipts
from traces.ingest.span_logs import attach_pending
from traces.summaries import rollup
from traces.upkeep import retention
from traces.upkeep.tombstones import delete_expired_tombstones

HOUR = 3600


def refresh_summaries() -> bool:
    """Summaries of large traces, and log records of new ones. Returns whether there may be more."""
    return rollup.refresh_due() + attach_pending() > 0


def delete_expired() -> None:
    """Delete traces past their retention; their rows then ask for the deletion in MLflow."""
    retention.delete_expired()


register_task("summaries", 1, refresh_summaries)
register_task("upkeep", HOUR, delete_expired_receipts)
register_task("upkeep", HOUR, delete_expired_tombstones)
register_task("upkeep", HOUR, delete_expired)

"""What the worker does for the mirror."""

from mlflow_sync.erasure import confirm_erasures
from mlflow_sync.jobs import enqueue_due, mirror_due, mirror_traces
from projects.background_work import register_job, register_task

register_task("summaries", 10, confirm_erasures)
register_task("mirror", 2, mirror_due, with_redis=enqueue_due)
register_job(mirror_traces)

"""What the worker does for scores."""

from evaluations.otlp_scores import pull_scores
from evaluations.upkeep import delete_orphans
from projects.background_work import register_task

register_task("summaries", 2, pull_scores)
register_task("upkeep", 3600, delete_orphans)

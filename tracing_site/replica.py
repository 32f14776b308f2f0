"""Reading traces from a replica of the database: DATABASE_REPLICA_URL."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.db import models
from django.http import HttpRequest, HttpResponse

_reads_replica: ContextVar[bool] = ContextVar("reads_replica", default=False)
# Accounts, sessions, keys and projects always come from the primary, so that a login or a revoked key counts at once.
REPLICATED_APPS = frozenset(("traces", "spans", "mlflow_sync"))
# Rules and prices are remembered by the version in their project's row, and so must be as new as that.
PRIMARY_MODELS = frozenset(("spans.mappingrule", "spans.modelprice"))
PATHS = ("/v1/", "/admin/")


class ReplicaMiddleware:
    """GET and HEAD of the API and the admin may read the replica; everything else, and all jobs, the primary."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD") or not request.path.startswith(PATHS):
            return self.get_response(request)
        token = _reads_replica.set(True)
        try:
            return self.get_response(request)
        finally:
            _reads_replica.reset(token)


class ReplicaRouter:
    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        is_replicated = model._meta.app_label in REPLICATED_APPS and model._meta.label_lower not in PRIMARY_MODELS
        return "replica" if _reads_replica.get() and is_replicated else None

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        return "default"

    def allow_relation(self, first: models.Model, second: models.Model, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "default"

"""What a replica is asked for."""

from django.contrib.auth.models import User

from mlflow_sync.models import MlflowTrace
from projects.models import ApiKey, Project
from spans.models import MappingRule, ModelPrice, Span
from traces.models import Trace
from tracing_site.replica import ReplicaMiddleware, ReplicaRouter


def databases(rf, method, path):
    """The names of the models that a request reads from the replica."""
    models = (Trace, Span, MlflowTrace, MappingRule, ModelPrice, Project, ApiKey, User)
    read = ReplicaMiddleware(lambda request: [m.__name__ for m in models if ReplicaRouter().db_for_read(m)])
    return read(getattr(rf, method)(path))


def test_reading_requests_read_traces_from_the_replica(rf):
    assert databases(rf, "get", "/v1/traces") == ["Trace", "Span", "MlflowTrace"]
    assert databases(rf, "get", "/admin/") == ["Trace", "Span", "MlflowTrace"]


def test_everything_else_reads_the_primary(rf):
    assert databases(rf, "post", "/v1/traces") == []
    assert databases(rf, "get", "/metrics") == []

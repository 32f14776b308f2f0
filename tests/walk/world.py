"""A project that has a row of everything, each with a mark in its texts, and people and programs around it."""

import datetime
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.test import Client
from django.utils import timezone
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from evaluations.models import Score
from evaluations.otlp_scores import pull_scores
from mlflow_sync.models import Erasure, MlflowTrace
from projects.models import ApiKey, Project, ProjectMembership, RetentionRule
from spans.models import MappingRule, ModelPrice, Span
from tests.builders import attributes, export_request, new_trace_id, span
from traces.models import ExportReceipt, Trace
from traces.otlp.receiver import export

# In every text of the project; what is searched for stands beside it, so that a page may repeat the search.
MARK = "zebra"
SOUGHT = "stripes"
TEXT = f"{MARK} {SOUGHT}"
SESSION, USER = "walked-session", "walked-user"
Role = ProjectMembership.Role


@dataclass
class World:
    project: Project
    trace: Trace
    span: Span
    rows: dict[type[models.Model], Any] = field(default_factory=dict)
    """The key of a row of each model that the admin shows."""

    def snapshot(self) -> dict[str, Any]:
        """Every value of the project's rows, but for when a key was used and what requests left behind."""
        found: dict[str, Any] = {"project": Project.objects.filter(pk=self.project.pk).values().first()}
        for model in self.rows:
            names = {one.name for one in model._meta.concrete_fields}
            if "project" in names and model is not ExportReceipt:
                rows = model._default_manager.filter(project=self.project).order_by("pk").values()
                found[model._meta.label] = [
                    {name: value for name, value in row.items() if name != "last_used_at"} for row in rows
                ]
        found["users"] = list(User.objects.order_by("pk").values("pk", "password", "is_staff", "is_superuser"))
        return found


@dataclass
class Actor:
    client: Client
    sees: bool = False
    """Whether the project's content is theirs to read."""
    writes: bool = False
    """Whether some of it is theirs to change."""


def build(project: Project) -> World:
    project.name = TEXT
    project.save()
    trace_id, root = new_trace_id(), "a" * 16
    message = f'[{{"role":"user","parts":[{{"type":"text","content":"{TEXT}"}}]}}]'
    chat = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": TEXT,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.input.messages": message,
        "gen_ai.output.messages": message,
        "gen_ai.conversation.id": SESSION,
        "enduser.id": USER,
        "secret": TEXT,
    }
    judged = {
        "gen_ai.evaluation.name": TEXT,
        "gen_ai.evaluation.score.value": 0.5,
        "gen_ai.evaluation.explanation": TEXT,
    }
    evaluation = OtlpSpan.Event(name="gen_ai.evaluation.result", attributes=attributes(judged))
    rejected = span(TEXT)
    rejected.trace_id = b"short"
    export(
        export_request(
            span(TEXT, trace_id=trace_id, span_id=root, attrs=chat, events=[evaluation]),
            span(TEXT, trace_id=trace_id, parent_span_id=root, status={"code": 2, "message": TEXT}),
            rejected,
            service=TEXT,
        ),
        project,
    )
    pull_scores()
    assert Score.objects.exists()
    trace = Trace.objects.get(trace_id=trace_id)
    world = World(project, trace, Span.objects.filter(trace_row=trace).earliest("id"))
    now = timezone.now()
    MlflowTrace.objects.create(
        trace_row=trace, project=project, trace_id=trace_id, changed_at=now, error_message=TEXT, next_try_at=now
    )
    MappingRule.objects.create(project=project, name=TEXT, pattern="app.model", field="request_model")
    ModelPrice.objects.create(project=project, model=TEXT, input_usd=Decimal(1), output_usd=Decimal(2))
    RetentionRule.objects.create(project=project, keep_days=3, service_name=TEXT)
    Erasure.objects.create(project=project, project_slug=TEXT, kind="user", subject_hash="f" * 64, requested_by=TEXT)
    ApiKey.objects.issue(project, TEXT)
    User.objects.create_user(TEXT)
    for model in admin.site._registry:
        world.rows[model] = _row_of(model, project)
    return world


def _row_of(model: type[models.Model], project: Project) -> Any:
    if model is Project:
        return project.pk
    if model is User:
        return User.objects.get(username=TEXT).pk
    rows = model._default_manager.filter(project=project)
    found = rows.values_list("pk", flat=True).first()
    assert found is not None, f"{model._meta.label} has no row here: add one to {__name__}.build"
    return found


def actors(mine: Project, other: Project) -> dict[str, Actor]:
    """Who asks, by name. The last ones may see the project."""
    everybody = {"anonymous": Actor(Client(raise_request_exception=False))}
    key = ApiKey.objects.issue
    everybody["wrong key"] = _program("llmt_" + "x" * 43)
    everybody["key of another project"] = _program(key(other, "theirs")[1])
    everybody["revoked key"] = _program(key(mine, "revoked", revoked_at=timezone.now())[1])
    yesterday = timezone.now() - datetime.timedelta(days=1)
    everybody["expired key"] = _program(key(mine, "expired", expires_at=yesterday)[1])
    everybody["key that only sends"] = _program(key(mine, "sender", can_read=False, can_write=False)[1])
    for role in Role:
        everybody[f"{role} of another project"] = _person(f"other-{role}", other, role)
    everybody["account without a project"] = _person("nobody")
    everybody["member without the staff flag"] = _person("plain", mine, Role.OWNER, is_staff=False)
    removed = _person("removed", mine, Role.OWNER)
    ProjectMembership.objects.filter(user__username="removed").delete()
    everybody["removed member"] = removed
    inactive = _person("inactive", mine, Role.OWNER)
    User.objects.filter(username="inactive").update(is_active=False)
    everybody["inactive member"] = inactive
    everybody["key that only reads"] = _program(key(mine, "reader", can_ingest=False, can_write=False)[1], sees=True)
    everybody["viewer"] = _person("viewer", mine, Role.VIEWER, sees=True)
    everybody["key"] = _program(key(mine, "everything")[1], sees=True, writes=True)
    everybody["editor"] = _person("editor", mine, Role.EDITOR, sees=True, writes=True)
    everybody["owner"] = _person("owner", mine, Role.OWNER, sees=True, writes=True)
    root = Client(raise_request_exception=False)
    root.force_login(User.objects.create_superuser("root"))
    everybody["superuser"] = Actor(root, sees=True, writes=True)
    return everybody


def _program(key: str, **may: bool) -> Actor:
    return Actor(Client(headers={"x-bee-authorization": key}, raise_request_exception=False), **may)


def _person(name: str, project: Project | None = None, role: str = "", is_staff: bool = True, **may: bool) -> Actor:
    user = User.objects.create_user(name, is_staff=is_staff)
    if project is not None:
        ProjectMembership.objects.create(project=project, user=user, role=role)
        User.objects.filter(pk=user.pk).update(is_staff=is_staff)
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return Actor(client, **may)

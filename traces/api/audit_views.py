"""The audit log over the API."""

from typing import Any

from django.db.models import DateTimeField, F
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from projects.authentication import CanAudit, audited_projects
from projects.models import AuditEvent
from spans.timestamps import from_unix_nano
from traces.api import cursors
from traces.api import parameters as p
from traces.api.api_view import ApiView, ordering_of
from traces.api.openapi import CURSOR, answers, ok, operation
from traces.api.serializers import NEXT_PAGE
from traces.reading.lists import Ordering, page

ORDERINGS = {"created_at": Ordering("created_at", F("created_at"), DateTimeField())}
PARAMETERS = (
    p.integer("limit", "Entries a page.", minimum=1, maximum=100, default=50),
    CURSOR,
    p.choice("ordering", "Newest first, or oldest first.", ("-created_at", "created_at"), default="-created_at"),
    p.choice("action", "Only what was done so.", AuditEvent.Action.values),
    p.string("actor", "Only what this account did: its user name."),
    p.string("project", "Slug of the project; for users who see several."),
    p.moment("from", "Only entries from this time on: ISO 8601 or Unix nanoseconds."),
    p.moment("to", "Only entries before this time: ISO 8601 or Unix nanoseconds."),
)
EXAMPLE: dict[str, Any] = {
    "id": "6f1d3b0e-5d0a-4a39-9d1c-0a8f5f3c1b7e",
    "created_at": "2026-12-01T09:30:00.123456+00:00",
    "action": "changed",
    "actor": "ana",
    "address": "192.0.2.1",
    "request_id": "d383fed38bc8929a",
    "project": "default",
    "object_type": "project membership",
    "object_id": "17",
    "object_name": "bo",
    "changes": {"role": {"before": "viewer", "after": "editor"}},
}


class AuditEventSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    action = serializers.ChoiceField(AuditEvent.Action.values)
    actor = serializers.CharField(help_text="User name, or a command with its user; empty: nobody was signed in.")
    address = serializers.CharField(help_text="Where the request came from; empty for a command.")
    request_id = serializers.CharField()
    project = serializers.CharField(allow_null=True, help_text="Slug of the project, null for what belongs to none.")
    object_type = serializers.CharField()
    object_id = serializers.CharField()
    object_name = serializers.CharField()
    changes = serializers.DictField(help_text="By field, `before` and `after`. Secrets are not among them.")


class AuditListSerializer(serializers.Serializer[Any]):
    results = AuditEventSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text=NEXT_PAGE)


class AuditView(ApiView):
    permission_classes = [CanAudit]

    @operation(
        "list_audit_events",
        "system",
        "List the audit log",
        "Who did what, when and from where. For keys with the scope `audit`, owners of projects, and superusers, who "
        "also see sign-ins and accounts. Follow `next` to read everything exactly once.",
        answers(ok(AuditListSerializer, "A page.", {"results": [EXAMPLE], "next": None}), 400),
        PARAMETERS,
    )
    def get(self, request: Request) -> Response:
        values = p.read(request.query_params, PARAMETERS)
        ordering = ordering_of(values["ordering"], ORDERINGS)
        after = cursors.decode(ordering, values["cursor"]) if values["cursor"] else None
        events = AuditEvent.objects.all()
        projects = audited_projects(request)
        if projects is not None:
            events = events.filter(project__in=projects)
        given = {"action": values["action"], "actor": values["actor"], "project_slug": values["project"]}
        events = events.filter(**{name: value for name, value in given.items() if value})
        if values["from"] is not None:
            events = events.filter(created_at__gte=from_unix_nano(values["from"]))
        if values["to"] is not None:
            events = events.filter(created_at__lt=from_unix_nano(values["to"]))
        found = page(events, ordering, values["limit"], after)
        return Response(
            {
                "results": [event.as_json() for event in found.rows],
                "next": found.end and cursors.encode(ordering, found.end),
            }
        )

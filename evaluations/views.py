"""GET /v1/scores."""

from django.db import models
from django.db.models import F, Q
from rest_framework.request import Request
from rest_framework.response import Response

from evaluations import openapi
from evaluations.models import Score
from evaluations.serializers import ScoreSerializer
from projects.authentication import visible_projects
from spans.keys import trace_row_key
from traces.api import cursors
from traces.api import parameters as p
from traces.api.api_view import ApiView
from traces.reading.lists import Ordering, Position

NEWEST = Ordering("created_at", F("created_at"), models.DateTimeField())


class ScoresView(ApiView):
    @openapi.list_scores
    def get(self, request: Request) -> Response:
        """Two queries."""
        values = p.read(request.query_params, openapi.SCORE_LIST)
        projects = visible_projects(request)
        if values["project"]:
            projects = projects.filter(slug=values["project"])
        keys = list(projects.order_by().values_list("pk", flat=True))
        scores = Score.objects.filter(project__in=keys, deleted_at=None)
        if values["trace_id"]:
            scores = scores.filter(trace_row__in=[trace_row_key(key, values["trace_id"].lower()) for key in keys])
        for name in ("span_id", "name", "source"):
            if values[name]:
                scores = scores.filter(**{name: values[name].lower() if name == "span_id" else values[name]})
        if values["cursor"]:
            after = cursors.decode(NEWEST, values["cursor"])
            scores = scores.filter(
                Q(created_at__lt=after.value) | Q(created_at=after.value, id__lt=after.key), created_at__lte=after.value
            )
        found = list(scores.order_by("-created_at", "-id")[: values["limit"] + 1])
        rows = found[: values["limit"]]
        end = Position(rows[-1].created_at, rows[-1].id) if len(found) > len(rows) else None
        return Response({"results": ScoreSerializer(rows, many=True).data, "next": end and cursors.encode(NEWEST, end)})

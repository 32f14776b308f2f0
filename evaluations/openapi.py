"""What the OpenAPI document says of scores."""

from evaluations.models import Score
from evaluations.serializers import ScoreListSerializer
from traces.api import parameters as p
from traces.api.openapi import CURSOR, answers, ok, operation

SCORE_LIST = (
    p.string("trace_id", "OpenTelemetry trace id: the scores of the trace and of its spans."),
    p.string("span_id", "Only those of this span."),
    p.string("name", "The score's name, whole."),
    p.choice("source", "Where it came from.", Score.Source.values),
    p.string("project", "Slug of the project; for users who see several."),
    p.integer("limit", "Scores a page.", minimum=1, maximum=1_000, default=100),
    CURSOR,
)
SCORE = {
    "id": "5c8b3a0e-2d51-4f6e-9d8a-1f2e3d4c5b6a",
    "target_kind": "span",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "span_id": "00f067aa0ba902b7",
    "session_id": "",
    "name": "Relevance",
    "data_type": "number",
    "value": 0.2,
    "label": "not_relevant",
    "text": "",
    "explanation": "The answer is about another product.",
    "source": "otlp",
    "source_id": "microsoft.evals",
    "metadata": {"time_unix_nano": "1793923201000000000", "response_id": "r-1"},
    "created_at": "2026-11-05T20:00:02.000000Z",
    "changed_at": "2026-11-05T20:00:02.000000Z",
}
list_scores = operation(
    "list_scores",
    "score",
    "List scores",
    "Newest first: what programs, people or judges said of traces and spans. Over OTLP scores come as "
    "`gen_ai.evaluation.result`, a span event or a log record, before their trace, with it or after it.",
    answers(ok(ScoreListSerializer, "A page.", {"results": [SCORE], "next": None}), 400),
    SCORE_LIST,
)

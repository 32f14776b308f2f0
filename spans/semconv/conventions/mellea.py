import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Name

MELLEA = Convention(
    name="mellea",
    title="mellea 0.4 and 0.8",
    source="https://github.com/generative-computing/mellea/blob/v0.8.0/mellea/telemetry/tracing.py",
    about=(
        "OpenTelemetry GenAI on its model and tool calls; sessions, actions, sampling and validation are "
        "named spans without an operation. Version 0.4 wrote plain words (model_id, response), hence the "
        "restriction to its scopes. The prompt is never sent."
    ),
    scopes=("mellea.",),
    fields={
        "span_type": (Name(re.compile(r"^(?!execute_tool|chat|text_completion|generate|embed)"), constant="CHAIN"),),
        "operation_name": (
            Name(re.compile(r"^(start_session|session_context|session|action|aact|sampling|validation|stream)\b")),
        ),
        "request_model": ("gen_ai.request.model", "model_id"),
        "session_id": ("mellea.session.id",),
        "output": ("mellea.action.response", "response"),
        "total_tokens": ("mellea.usage.total_tokens",),
    },
)

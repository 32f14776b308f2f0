import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Name

AGENT_FRAMEWORK = Convention(
    name="agent_framework",
    title="Microsoft Agent Framework",
    source="https://github.com/microsoft/agent-framework/blob/python-1.0.0/python/packages/core/agent_framework/observability.py",
    about="OpenTelemetry GenAI on agents, calls and tools. What a workflow does between them is told by spans' names.",
    scopes=("agent_framework",),
    fields={
        "span_type": (
            Name(re.compile(r"^workflow\.run\b"), constant="WORKFLOW"),
            Name(
                re.compile(r"^(?:workflow\.build|executor\.process|edge_group\.process|message\.send)\b"),
                constant="CHAIN",
            ),
        ),
    },
)

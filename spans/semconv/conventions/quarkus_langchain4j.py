import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute, Name

QUARKUS_LANGCHAIN4J = Convention(
    name="quarkus_langchain4j",
    title="LangChain4j in Quarkus",
    source="https://github.com/quarkiverse/quarkus-langchain4j/tree/046e60e7741dbc346331b454c7ba0cee33f7d898/core/runtime",
    about="OpenTelemetry GenAI on model calls, with a cost and its currency; services and tools are only named spans.",
    scopes=("io.quarkus.opentelemetry",),
    fields={
        "span_type": (
            Name(re.compile(r"^langchain4j\.aiservices\."), constant="CHAIN"),
            Name(re.compile(r"^langchain4j\.tools\."), constant="TOOL"),
        ),
        "tool_name": (Name(re.compile(r"^langchain4j\.tools\.(.+)$")),),
        "cost_usd": (Attribute("gen_ai.client.estimated_cost", pattern=re.compile(r"^([\d.]+)\s*(?:USD|\$)$")),),
    },
)

import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute

SPAN_TYPES = {
    "agent": "AGENT",
    "subagent": "AGENT",
    "llm": "CHAT_MODEL",
    "summary": "CHAT_MODEL",
    "tool": "TOOL",
    "memory": "MEMORY",
    "retriever": "RETRIEVER",
    "guardrail": "GUARDRAIL",
    "workflow": "WORKFLOW",
    "workflow-step": "TASK",
}
RETRIEVER = ("span.type", re.compile("^retriever$"))

VOLTAGENT = Convention(
    name="voltagent",
    title="VoltAgent",
    source="https://github.com/VoltAgent/voltagent/tree/%40voltagent/core%402.10.0/packages/core/src/observability",
    about=(
        "Plain keys, hence the restriction to its scope. An agent's span has no type of its own; it has the usage of "
        "all its steps, while its model call, whose output is the agent's, reports the last step only."
    ),
    scopes=("@voltagent/",),
    fields={
        "span_type": (
            Attribute("span.type", values=SPAN_TYPES),
            Attribute("entity.type", values=SPAN_TYPES),
        ),
        "provider_name": ("llm.provider", "ai.model.provider"),
        "request_model": ("llm.model", "ai.model.name"),
        "tool_call_id": ("tool.call.id",),
        "input_tokens": ("llm.usage.prompt_tokens", "usage.prompt_tokens"),
        "output_tokens": ("llm.usage.completion_tokens", "usage.completion_tokens"),
        "cached_input_tokens": ("llm.usage.cached_tokens", "usage.cached_tokens"),
        "reasoning_tokens": ("llm.usage.reasoning_tokens", "usage.reasoning_tokens"),
        "cost_usd": ("usage.cost",),
        "session_id": ("conversation.id",),
        "input_messages": ("llm.messages", "agent.messages"),
        "input": ("input",),
        "output": ("output",),
        "documents": (Attribute("output", when=RETRIEVER),),
        "finish_reasons": ("llm.finish_reason", "ai.response.finish_reason"),
    },
)

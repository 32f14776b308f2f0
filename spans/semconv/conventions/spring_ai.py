import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute

KINDS = {"chat_client": "CHAIN", "advisor": "CHAIN", "tool_call": "TOOL"}
QUERY = ("db.operation.name", re.compile("^query$"))

SPRING_AI = Convention(
    name="spring_ai",
    title="Spring AI",
    source="https://github.com/spring-projects/spring-ai/tree/03a91270ec80bc5bdf81f70829b4277f15141906/spring-ai-docs",
    about=(
        "OpenTelemetry GenAI on its model calls. The operation of its own spans is always framework; spring.ai.kind "
        "says what they are. Of the operations on a vector store only queries retrieve."
    ),
    fields={
        "span_type": (
            Attribute("spring.ai.kind", values=KINDS),
            Attribute("spring.ai.kind", values={"vector_store": "RETRIEVER"}, when=QUERY),
        ),
        "tool_name": ("spring.ai.tool.definition.name",),
        "tool_description": ("spring.ai.tool.definition.description",),
        "tool_arguments": ("spring.ai.tool.call.arguments",),
        "tool_result": ("spring.ai.tool.call.result",),
        "session_id": ("spring.ai.chat.client.conversation.id",),
        "input": ("spring.ai.tool.call.arguments", "spring.ai.chat.client.user.text", "db.vector.query.content"),
        "output": ("spring.ai.tool.call.result", "db.vector.query.response.documents"),
        "documents": ("db.vector.query.response.documents",),
    },
)

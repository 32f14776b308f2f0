"""The kinds and types of spans; apart from the table, because the conventions know them too."""

from django.db.models import IntegerChoices, TextChoices


class SpanKind(IntegerChoices):
    """OpenTelemetry's SpanKind; other numbers are stored as they came."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class SpanType(TextChoices):
    """What a span did. Values: mlflow.entities.SpanType."""

    LLM = "LLM"
    CHAT_MODEL = "CHAT_MODEL"
    AGENT = "AGENT"
    CHAIN = "CHAIN"
    TOOL = "TOOL"
    RETRIEVER = "RETRIEVER"
    EMBEDDING = "EMBEDDING"
    RERANKER = "RERANKER"
    PARSER = "PARSER"
    MEMORY = "MEMORY"
    WORKFLOW = "WORKFLOW"
    TASK = "TASK"
    GUARDRAIL = "GUARDRAIL"
    EVALUATOR = "EVALUATOR"
    UNKNOWN = "UNKNOWN"

"""The types of spans; apart from the table, because the conventions know them too."""

from django.db.models import TextChoices


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

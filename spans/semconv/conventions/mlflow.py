import re
from typing import Any

from spans.semconv.convention import Convention
from spans.semconv.json_values import unquote_json
from spans.semconv.sources import Attribute, Elapsed, Family
from spans.span_types import SpanType

SPAN_TYPES = {name.lower(): name for name in SpanType.values}
MODEL_CALL = ("mlflow.spanType", re.compile('^"?(?:CHAT_MODEL|LLM)"?$'))
TOOL_CALL = ("mlflow.spanType", re.compile('^"?TOOL"?$'))
RETRIEVAL = ("mlflow.spanType", re.compile('^"?(?:RETRIEVER|RERANKER)"?$'))
EMBEDDING = ("mlflow.spanType", re.compile('^"?EMBEDDING"?$'))


def _messages_of_request(request: Any) -> Any:
    """The messages of a request of any provider, if it has some."""
    if not isinstance(request, dict):
        return request if isinstance(request, list) else None
    return next((request[key] for key in ("messages", "input", "contents", "prompt") if key in request), None)


def _parameters_of_request(request: Any) -> Any:
    if not isinstance(request, dict):
        return None
    content = ("messages", "input", "contents", "prompt", "tools", "model")
    return {key: value for key, value in request.items() if key not in content}


def _values(items: Any) -> Any:
    return {key: unquote_json(value) for key, value in items.items()} if isinstance(items, dict) else None


MLFLOW = Convention(
    name="mlflow",
    title="MLflow",
    source="https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/tracing/constant.py",
    about=(
        "Every value is JSON text, texts included. Inputs and outputs are the whole request and response of "
        "whatever ran. Sessions and users stay in MLflow's trace metadata unless the program sets them on a "
        "span."
    ),
    fields={
        "span_type": (Attribute("mlflow.spanType", encoded=True, values=SPAN_TYPES),),
        "provider_name": (Attribute("mlflow.llm.provider", encoded=True),),
        "response_model": (Attribute("mlflow.llm.model", encoded=True),),
        "request_model": (
            Attribute("mlflow.spanInputs", encoded=True, path=("model",), when=MODEL_CALL),
            Attribute("mlflow.spanInputs", encoded=True, path=("model",), when=EMBEDDING),
            Attribute("mlflow.llm.model", encoded=True),
        ),
        "tool_name": (Attribute("mlflow.spanFunctionName", encoded=True, when=TOOL_CALL),),
        "input_tokens": (Attribute("mlflow.chat.tokenUsage", encoded=True, path=("input_tokens",)),),
        "output_tokens": (Attribute("mlflow.chat.tokenUsage", encoded=True, path=("output_tokens",)),),
        "total_tokens": (Attribute("mlflow.chat.tokenUsage", encoded=True, path=("total_tokens",)),),
        "cached_input_tokens": (Attribute("mlflow.chat.tokenUsage", encoded=True, path=("cache_read_input_tokens",)),),
        "cache_creation_input_tokens": (
            Attribute("mlflow.chat.tokenUsage", encoded=True, path=("cache_creation_input_tokens",)),
        ),
        "reasoning_tokens": tuple(
            Attribute("mlflow.spanOutputs", encoded=True, path=("usage", details, "reasoning_tokens"), when=MODEL_CALL)
            for details in ("completion_tokens_details", "output_tokens_details")
        ),
        "cost_usd": (Attribute("mlflow.llm.cost", encoded=True, path=("total_cost",)),),
        "session_id": (
            Attribute("mlflow.trace.session", encoded=True),
            Attribute("mlflow.traceTag.mlflow.trace.session", encoded=True),
        ),
        "user_id": (
            Attribute("mlflow.trace.user", encoded=True),
            Attribute("mlflow.traceTag.mlflow.trace.user", encoded=True),
        ),
        "trace_name": (
            Attribute("mlflow.traceName", encoded=True),
            Attribute("mlflow.traceTag.mlflow.traceName", encoded=True),
        ),
        "trace_input": (Attribute("mlflow.traceInputs", encoded=True),),
        "trace_output": (Attribute("mlflow.traceOutputs", encoded=True),),
        "input_messages": (
            Attribute("mlflow.chat.messages", encoded=True),
            Attribute("mlflow.spanInputs", encoded=True, when=MODEL_CALL, transform=_messages_of_request),
        ),
        "output_messages": (Attribute("mlflow.spanOutputs", encoded=True, when=MODEL_CALL),),
        "input": (Attribute("mlflow.spanInputs", encoded=True),),
        "output": (Attribute("mlflow.spanOutputs", encoded=True),),
        "embedding_inputs": (Attribute("mlflow.spanInputs", encoded=True, path=("input",), when=EMBEDDING),),
        "documents": (Attribute("mlflow.spanOutputs", encoded=True, when=RETRIEVAL),),
        "tool_definitions": (Attribute("mlflow.chat.tools", encoded=True),),
        "request_parameters": (
            Attribute("mlflow.spanInputs", encoded=True, when=MODEL_CALL, transform=_parameters_of_request),
        ),
        "time_to_first_token_ms": (Elapsed("mlflow.chunk.item.0"),),
        "metadata": (Family("mlflow.traceTag.", indexed=False, transform=_values),),
    },
)

MLFLOW_AUTOLOG = Convention(
    name="mlflow_autolog",
    title="MLflow, attributes of its autologging",
    source="https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/openai/autolog.py",
    about=(
        "The request's parameters as JSON text under plain names. With MLFLOW_ENABLE_OTEL_GENAI_SEMCONV they "
        "stand beside native gen_ai attributes whose request model is really the model of the response."
    ),
    scopes=("mlflow.",),
    fields={
        "request_model": (Attribute("model", encoded=True),),
        "tool_definitions": (Attribute("tools", encoded=True),),
    },
)

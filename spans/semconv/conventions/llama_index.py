import re
from typing import Any

from spans.semconv.convention import Convention
from spans.semconv.sources import SPAN_NAME, Attribute, Name

TOOL = re.compile(r"^\w*Tool\.(?:task|workflow)$")
FOUND = re.compile(r"^\w*(?:Retriever|Rerank\w*)\.(?:task|workflow)$")
WORKFLOW = ("input.value", re.compile(r'^\{"(?:init_state|start_event|ctx|ev)"'))
CALL = ("gen_ai.operation.name", re.compile("^chat$"))


def _said(messages: Any) -> Any:
    """The answers, unless none of them has a part: the instrumentation leaves tool calls out of its messages."""
    return messages if isinstance(messages, list) and any(_parts(message) for message in messages) else None


def _parts(message: Any) -> Any:
    return message.get("parts") if isinstance(message, dict) else message


def _content(event: Any) -> Any:
    """The repr of an event; "" of one that has nothing in it, as the first one of an agent."""
    return "" if isinstance(event, str) and event.endswith("()") else event


LLAMA_INDEX_OPENINFERENCE = Convention(
    name="llama_index_openinference",
    title="LlamaIndex through OpenInference",
    source="https://github.com/Arize-ai/openinference/blob/1fe497f1d9f45a07eee55d97fe185e020560f9c7/python/instrumentation/openinference-instrumentation-llama-index/src/openinference/instrumentation/llama_index/_handler.py",
    about=(
        "OpenInference; the input of a workflow and of its steps is the engine's whole state or context, in which "
        "the event that started them is what they were asked."
    ),
    scopes=("openinference.instrumentation.llama_index",),
    fields={
        "input": (
            Attribute("input.value", path=("start_event",), transform=_content, when=WORKFLOW),
            Attribute("input.value", path=("ev",), transform=_content, when=WORKFLOW),
        ),
    },
)

LLAMA_INDEX = Convention(
    name="llama_index",
    title="LlamaIndex through OpenLLMetry",
    source="https://github.com/traceloop/openllmetry/blob/0.62.4/packages/opentelemetry-instrumentation-llamaindex/opentelemetry/instrumentation/llamaindex/dispatcher_wrapper.py",
    about=(
        "Every span is a task, or a workflow where it is the first; what it did is the class in its name. Inputs and "
        "outputs are the JSON of LlamaIndex's own objects. Before OpenLLMetry, whose kinds would win."
    ),
    scopes=("opentelemetry.instrumentation.llamaindex",),
    fields={
        "span_type": (
            Attribute("gen_ai.operation.name", values={"embeddings": "EMBEDDING", "rerank": "RERANKER"}),
            Name(TOOL, constant="TOOL"),
            Name(re.compile(r"^\w*Retriever\.(?:task|workflow)$"), constant="RETRIEVER"),
            Name(re.compile(r"^\w*Rerank\w*\.(?:task|workflow)$"), constant="RERANKER"),
            Name(re.compile(r"^\w*Embedding\.(?:task|workflow)$"), constant="EMBEDDING"),
            Name(re.compile(r"^\w*Agent(?:Workflow)?\.workflow$"), constant="AGENT"),
        ),
        "tool_name": (Attribute("traceloop.entity.output", path=("tool_name",), when=(SPAN_NAME, TOOL)),),
        "tool_arguments": (Attribute("traceloop.entity.input", path=("kwargs",), when=(SPAN_NAME, TOOL)),),
        "tool_result": (Attribute("traceloop.entity.output", path=("raw_output",), when=(SPAN_NAME, TOOL)),),
        "documents": (Attribute("traceloop.entity.output", when=(SPAN_NAME, FOUND)),),
        "output_messages": (
            Attribute("gen_ai.output.messages", transform=_said),
            Attribute("traceloop.entity.output", path=("message",), when=CALL),
        ),
    },
)

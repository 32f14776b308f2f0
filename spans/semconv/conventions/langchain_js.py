import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute

CALL = ("openinference.span.kind", re.compile("^LLM$"))

LANGCHAIN_JS = Convention(
    name="langchain_js",
    title="LangChain.js through OpenInference",
    source="https://github.com/Arize-ai/openinference/blob/56a6c8920eb697beaa0e40d28ece4b7b875a6d12/js/packages/openinference-instrumentation-langchain/src/utils.ts",
    about=(
        "OpenInference; of messages whose content is a list of blocks the indexed attributes only have the role, and "
        "of tool calls no ids. The values have the messages whole."
    ),
    scopes=("@arizeai/openinference-instrumentation-langchain",),
    fields={
        "input_messages": (Attribute("input.value", path=("messages",), when=CALL),),
        "output_messages": (Attribute("output.value", path=("generations",), when=CALL),),
    },
)

import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute, Name

SEMANTIC_KERNEL = Convention(
    name="semantic_kernel",
    title="Semantic Kernel",
    source="https://github.com/microsoft/semantic-kernel/blob/python-1.45.0/python/semantic_kernel/utils/telemetry/model_diagnostics/decorators.py",
    about="OpenTelemetry GenAI; finish reasons are one text with the name of a Python enum in it.",
    scopes=("semantic_kernel.",),
    fields={
        "span_type": (Name(re.compile("^AutoFunctionInvocationLoop$"), constant="CHAIN"),),
        "finish_reasons": (
            Attribute("gen_ai.response.finish_reason", pattern=re.compile(r"(\w+)$"), transform=str.lower),
        ),
    },
)

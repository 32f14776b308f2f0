from spans.semconv.convention import Convention
from spans.semconv.sources import Family

SMOLAGENTS = Convention(
    name="smolagents",
    title="smolagents through OpenInference",
    source="https://github.com/Arize-ai/openinference/blob/1fe497f1d9f45a07eee55d97fe185e020560f9c7/python/instrumentation/openinference-instrumentation-smolagents/src/openinference/instrumentation/smolagents/_wrappers.py",
    about="OpenInference; an agent's task and tools have keys of their own. Agents repeat the sum of their calls.",
    scopes=("openinference.instrumentation.smolagents",),
    fields={
        "input": ("smolagents.task",),
        "tool_definitions": ("smolagents.tools_names",),
        "metadata": (Family("smolagents.", indexed=False),),
    },
)

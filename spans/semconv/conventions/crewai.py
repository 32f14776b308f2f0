import re

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute, Combined

CREWAI = Convention(
    name="crewai",
    title="CrewAI through OpenInference",
    source="https://github.com/Arize-ai/openinference/blob/1fe497f1d9f45a07eee55d97fe185e020560f9c7/python/instrumentation/openinference-instrumentation-crewai/src/openinference/instrumentation/crewai/_wrappers.py",
    about="OpenInference; what identifies crew and task has plain keys.",
    scopes=("openinference.instrumentation.crewai",),
    fields={
        "metadata": (
            Combined({"crew_key": "crew_key", "crew_id": "crew_id", "task_key": "task_key", "task_id": "task_id"}),
        ),
    },
)


def _usage(name: str) -> Attribute:
    """A count of a crew's usage, which is the repr of a Python dictionary."""
    return Attribute("crewai.crew.usage_metrics", pattern=re.compile(rf"'{name}': (\d+)"))


CREWAI_OPENLLMETRY = Convention(
    name="crewai_openllmetry",
    title="CrewAI through OpenLLMetry",
    source="https://github.com/traceloop/openllmetry/blob/0.62.4/packages/opentelemetry-instrumentation-crewai/opentelemetry/instrumentation/crewai/instrumentation.py",
    about=(
        "OpenLLMetry with keys of its own. A crew reports the sum of its calls, which are spans only where the model's "
        "client is instrumented as well."
    ),
    scopes=("opentelemetry.instrumentation.crewai",),
    fields={
        "span_type": (Attribute("crewai.crew.id", constant="WORKFLOW"),),
        "operation_name": (
            Attribute("crewai.crew.id", constant="invoke_workflow"),
            Attribute("crewai.task.id", constant="execute_task"),
        ),
        "input_tokens": (_usage("prompt_tokens"),),
        "output_tokens": (_usage("completion_tokens"),),
        "cached_input_tokens": (_usage("cached_prompt_tokens"),),
        "reasoning_tokens": (_usage("reasoning_tokens"),),
        "input": ("crewai.task.description", Attribute("crewai.crew.tasks", path=(0, "description"))),
        "output": ("crewai.crew.result",),
        "agent_name": ("crewai.agent.role", "crewai.task.agent"),
        "tool_definitions": ("crewai.agent.tools",),
    },
)

from spans.semconv.convention import Convention
from spans.semconv.sources import Combined

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

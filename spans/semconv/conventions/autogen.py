from spans.semconv.convention import Convention

AUTOGEN = Convention(
    name="autogen",
    title="AutoGen, its own spans",
    source="https://github.com/microsoft/autogen/blob/python-v0.7.5/python/packages/autogen-core/src/autogen_core/_telemetry/_tracing_config.py",
    about=(
        "Agents and tools follow OpenTelemetry GenAI, with the framework in gen_ai.system; the runtime's messages to "
        "its actors are messaging spans without a type. OpenInference's spans of the same run stand beside them."
    ),
    scopes=("autogen",),
    fields={
        "operation_name": ("gen_ai.operation.name", "messaging.operation"),
        "input": ("message",),
    },
)

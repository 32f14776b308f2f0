from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute
from spans.semconv.token_counts import PROVIDER, PROVIDER_CACHE

CACHE_KEYS = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "llm.token_count.prompt_details.cache_write",
)

# The others of their kind add cache and thoughts up: OpenLLMetry's for Anthropic, OpenInference's for Bedrock.
PASSED_ON_CACHE = Convention(
    name="passed_on_cache",
    title="SDKs that pass on how the provider counts a cache",
    source="https://github.com/traceloop/openllmetry/blob/0.62.4/packages/opentelemetry-instrumentation-bedrock/opentelemetry/instrumentation/bedrock/span_utils.py",
    about=(
        "OpenLLMetry and OpenTelemetry's botocore for Bedrock, Agno, Agent Framework, Pipecat: their input has no "
        "cached tokens where the provider's has none. Some also send a total of their own, input and output."
    ),
    scopes=(
        "opentelemetry.instrumentation.bedrock",
        "opentelemetry.instrumentation.botocore",
        "openinference.instrumentation.agno",
        "agent_framework",
        "pipecat",
    ),
    fields={"counts_of": tuple(Attribute(key, constant=PROVIDER_CACHE) for key in CACHE_KEYS)},
)

PASSED_ON = Convention(
    name="passed_on",
    title="Older Google Agent Development Kits, which pass on Gemini's counts",
    source="https://github.com/google/adk-python/blob/v1.14.0/src/google/adk/telemetry.py",
    about="Their output has no thoughts; later ones add them, and write them under OpenTelemetry's key.",
    scopes=("gcp.vertex.agent", "google.adk"),
    fields={"counts_of": (Attribute("gen_ai.usage.experimental.reasoning_tokens", constant=PROVIDER),)},
)

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute, Family

TO_FIRST_TOKEN = "gen_ai.latency.time_to_first_token"  # noqa: S105

INFERENCE_SERVERS = Convention(
    name="inference_servers",
    title="vLLM, SGLang and TensorRT-LLM",
    source="https://github.com/vllm-project/vllm/blob/v0.12.0/vllm/tracing.py",
    about=(
        "What the server says of a call, mostly below the span of the client that made it. OpenTelemetry GenAI's older "
        "names without an operation, and latencies in seconds. Prompts and answers are never sent."
    ),
    fields={
        "span_type": (Attribute(TO_FIRST_TOKEN, constant="LLM"), Attribute("gen_ai.latency.e2e", constant="LLM")),
        "response_id": ("gen_ai.request.id",),
        "time_to_first_token_ms": (Attribute(TO_FIRST_TOKEN, scale=1000),),
        "metadata": (Family("gen_ai.latency.", indexed=False),),
    },
)

import re

from spans.semconv.convention import Convention
from spans.semconv.sources import SPAN_NAME, Attribute

USAGE = "codex.turn.token_usage."
TURN = (SPAN_NAME, re.compile(r"session_task\.turn$"))

CODEX = Convention(
    name="codex",
    title="Codex CLI",
    source="https://github.com/openai/codex/blob/0b2164c8831fd16eb29623329826764ac2025138/codex-rs/otel/README.md",
    about=(
        "Spans of its Rust code; of all of them the one of a turn has the model and the usage of its calls, cached "
        "tokens within the input. Prompts and answers are only in log records."
    ),
    fields={
        "span_type": (Attribute(USAGE + "input_tokens", constant="LLM"),),
        "request_model": (Attribute("model", when=TURN),),
        "input_tokens": (USAGE + "input_tokens",),
        "output_tokens": (USAGE + "output_tokens",),
        "total_tokens": (USAGE + "total_tokens",),
        "cached_input_tokens": (USAGE + "cached_input_tokens",),
        "reasoning_tokens": (USAGE + "reasoning_output_tokens",),
        "session_id": (Attribute("thread.id", when=TURN),),
    },
)

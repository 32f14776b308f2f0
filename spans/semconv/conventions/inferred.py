from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute, Family


def _is(span_type: str, *keys: str) -> tuple[Attribute, ...]:
    return tuple(Attribute(key, constant=span_type) for key in keys)


INFERRED = Convention(
    name="inferred",
    title="Types inferred from what a span carries",
    source="https://github.com/open-telemetry/semantic-conventions/blob/v1.38.0/docs/gen-ai/gen-ai-spans.md",
    about="For spans that no convention gave a type: their facts are those of only one kind of span.",
    fields={
        "span_type": (
            *_is("TOOL", "gen_ai.tool.call.id", "gen_ai.tool.call.arguments", "gen_ai.tool.name", "tool.name"),
            *_is("EMBEDDING", "embedding.model_name", "gen_ai.embeddings.dimension.count"),
            *_is("RERANKER", "reranker.model_name", "reranker.query"),
            Family("retrieval.documents.", transform=lambda documents: "RETRIEVER"),
            *_is("RETRIEVER", "gen_ai.retrieval.documents", "gen_ai.retrieval.query.text"),
            *_is(
                "LLM", "gen_ai.response.finish_reasons", "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"
            ),
            *_is("LLM", "llm.token_count.completion", "llm.invocation_parameters", "llm.model_name"),
            Family("gen_ai.completion.", transform=lambda messages: "LLM"),
            *_is("AGENT", "gen_ai.agent.id", "gen_ai.agent.name"),
        ),
    },
)

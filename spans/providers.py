"""Provider names by the values that OpenTelemetry calls well known.

Source: https://github.com/open-telemetry/semantic-conventions/blob/v1.38.0/docs/registry/attributes/gen-ai.md
"""

from functools import lru_cache

CANONICAL = {
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "azure_ai": "azure.ai.inference",
    "aws": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "aws.bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "azureopenai": "azure.ai.openai",
    "bedrock_converse": "aws.bedrock",
    "google.vertex": "gcp.vertex_ai",
    "google-vertex": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "vertex.anthropic": "gcp.vertex_ai",
    "google-gla": "gcp.gemini",
    "google_genai": "gcp.gemini",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "googleai": "gcp.gemini",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
    "watsonx": "ibm.watsonx.ai",
    "watsonx.ai": "ibm.watsonx.ai",
}
# SDKs add the name of an API: openai.chat, anthropic.messages, azure.responses; to some of them any name.
WITH_APIS = frozenset(("openai", "anthropic", "cohere", "groq", "ollama", "deepseek", "perplexity", "mistral", "xai"))
APIS = frozenset(("chat", "responses", "messages", "completion", "embedding", "image", "generative-ai", "reranking"))


@lru_cache(maxsize=1024)
def canonical_provider(name: str) -> str:
    """The provider's well-known name; an unknown one in lower case."""
    lower = name.strip().lower()
    first, dot, _ = lower.partition(".")
    if dot and first in WITH_APIS:
        lower = first
    rest, _, last = lower.rpartition(".")
    if rest and last in APIS:
        lower = rest
    return CANONICAL.get(lower, lower)

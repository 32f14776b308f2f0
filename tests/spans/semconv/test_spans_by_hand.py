"""Spans of Claude Code, Codex, Gemini CLI and of SDKs in .NET, Java and Go, by hand after what their sources set."""

import json

from spans.records import ScopeRecord, SpanRecord
from spans.semconv import content, normalize
from traces.summaries.summary import summarize

CLAUDE_SCOPE = "com.anthropic.claude_code.tracing"


def span(name, attributes, *, scope, span_id="1", parent="", **more):
    record = SpanRecord(
        "t",
        span_id,
        parent_span_id=parent,
        name=name,
        attributes=attributes,
        scope=ScopeRecord(name=scope),
        start_time_unix_nano=10**18 + int(span_id),
        end_time_unix_nano=10**18 + 100 - int(span_id),
        **more,
    )
    normalize(record)
    return record


def claude(name, span_id, parent="", events=(), **attributes):
    attributes = {key.replace("__", "."): value for key, value in attributes.items()} | {"session.id": "s-1"}
    return span(name, attributes, scope=CLAUDE_SCOPE, span_id=span_id, parent=parent, events=list(events))


def test_a_prompt_to_claude_code_is_an_agent_with_calls_and_tools():
    prompt = claude("claude_code.interaction", "1", span__type="interaction", user_prompt="List the files")
    call = claude(
        "claude_code.llm_request", "2", "1", span__type="llm_request", model="claude-sonnet-4-5",
        gen_ai__system="anthropic",
        gen_ai__request__model="claude-sonnet-4-5", input_tokens=2, output_tokens=1200, cache_read_tokens=84562,
        cache_creation_tokens=7096, ttft_ms=810, stop_reason="tool_use", request_id="req_1",
    )  # fmt: skip
    output = {"name": "tool.output", "attributes": {"output": "README.md"}, "time_unix_nano": 1}
    tool = claude(
        "claude_code.tool", "3", "1", [output], span__type="tool", tool_name="Bash", tool_use_id="toolu_1",
        full_command="ls", gen_ai__tool__call__id="toolu_1",
    )  # fmt: skip
    waited = claude("claude_code.tool.blocked_on_user", "4", "3", span__type="tool.blocked_on_user", decision="accept")
    found = summarize([prompt, call, tool, waited])
    assert (found.input_preview, found.session_id, found.model_names) == (
        "List the files", "s-1", ["claude-sonnet-4-5"],
    )  # fmt: skip
    assert (found.input_tokens, found.output_tokens) == (2 + 84562 + 7096, 1200)
    assert found.cost_usd is not None
    assert [record.span_type for record in (prompt, call, tool, waited)] == ["AGENT", "CHAT_MODEL", "TOOL", "CHAIN"]
    full = content(tool)
    assert (full.tool_name, full.tool_arguments, full.tool_result, full.tool_call_id) == (
        "Bash", "ls", "README.md", "toolu_1",
    )  # fmt: skip
    asked = content(call)
    assert (asked.cached_input_tokens, asked.cache_creation_input_tokens, asked.time_to_first_token_ms) == (
        84562, 7096, 810,
    )  # fmt: skip


def test_plain_keys_of_claude_code_mean_nothing_in_other_scopes():
    record = span("x", {"model": "m", "input_tokens": 2, "user_prompt": "p"}, scope="app")
    assert (record.request_model, record.input_tokens, record.input_preview) == ("", None, "")


def gemini(operation, **attributes):
    own = {"gen_ai.operation.name": operation, "gen_ai.conversation.id": "s-2"}
    return span(operation, own | attributes, scope="gemini-cli")


def test_gemini_cli_calls_have_messages_and_a_streams_pieces_are_one():
    record = gemini(
        "llm_call",
        **{
            "gen_ai.request.model": "gemini-2.5-flash",
            "gen_ai.usage.input_tokens": 30,
            "gen_ai.usage.output_tokens": 5,
            "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"text": "Weather?"}]}]),
            "gen_ai.output.messages": json.dumps(
                [
                    {"role": "model", "parts": [{"text": "It is "}]},
                    {"role": "model", "parts": [{"text": "sunny."}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "save", "args": {"a": 1}}}]},
                ]
            ),
        },
    )
    assert (record.span_type, record.operation_name, record.provider_name) == ("CHAT_MODEL", "chat", "gcp.gemini")
    assert (record.input_preview, record.output_preview, record.session_id) == ("Weather?", "It is sunny.", "s-2")
    (answer,) = content(record).output_messages
    assert [part["type"] for part in answer["parts"]] == ["text", "tool_call"]


def test_gemini_cli_tools_have_arguments_and_results():
    response = [{"functionResponse": {"id": "c1", "name": "ls", "response": {"output": "README.md"}}}]
    record = gemini(
        "tool_call",
        **{
            "gen_ai.tool.name": "ls",
            "gen_ai.tool.call_id": "c1",
            "gen_ai.input.messages": json.dumps({"callId": "c1", "name": "ls", "args": {"path": "."}}),
            "gen_ai.output.messages": json.dumps({"status": "success", "response": {"responseParts": response}}),
        },
    )
    full = content(record)
    assert (record.span_type, record.tool_name, record.input_preview, record.output_preview) == (
        "TOOL", "ls", '{"path": "."}', "README.md",
    )  # fmt: skip
    assert (full.tool_arguments, full.tool_result, full.tool_call_id) == ({"path": "."}, "README.md", "c1")


def test_calls_of_tools_on_the_models_server_are_calls_of_tools():
    called = {"arguments": {"q": "Brno"}, "server_name": "maps", "type": "mcp"}
    answered = {"output": ["21"], "type": "mcp"}
    parts = [
        {"type": "server_tool_call", "id": "m1", "name": "find", "server_tool_call": called},
        {"type": "server_tool_call_response", "id": "m1", "server_tool_call_response": answered},
        {"type": "text", "content": "21"},
    ]
    record = span(
        "chat m",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": parts, "finish_reason": "stop"}]),
        },
        scope="Experimental.Microsoft.Extensions.AI",
    )
    hosted = {"hosted": "mcp_call"}
    assert content(record).output_messages[0]["parts"] == [
        {"type": "tool_call", "id": "m1", "name": "find", "arguments": {"q": "Brno"}} | hosted | {"server": "maps"},
        {"type": "tool_result", "id": "m1", "name": "mcp", "result": ["21"], "hosted": "mcp_tool_result"},
        {"type": "text", "text": "21"},
    ]
    loop = span("orchestrate_tools", {"gen_ai.operation.name": "orchestrate_tools"}, scope="x")
    assert loop.span_type == "CHAIN"


def test_a_turn_of_codex_has_its_model_usage_and_session():
    usage = {"input_tokens": 900, "cached_input_tokens": 700, "output_tokens": 40, "reasoning_output_tokens": 9}
    attributes = {f"codex.turn.token_usage.{key}": value for key, value in usage.items()}
    own = {"model": "gpt-5-codex", "thread.id": "0199-a", "turn.id": "2"}
    record = span("session_task.turn", own | attributes, scope="codex_cli_rs")
    assert (record.span_type, record.request_model, record.session_id) == ("LLM", "gpt-5-codex", "0199-a")
    assert (record.input_tokens, record.output_tokens, record.cached_input_tokens) == (900, 40, 700)
    assert record.cost_usd is not None
    assert span("other", {"thread.id": 17, "model": "x"}, scope="codex_cli_rs").session_id == ""


def eino(kind, **attributes):
    own = {"gen_ai.span.kind": kind, "gen_ai.session.id": "s-3", "gen_ai.user.id": "jana", "gen_ai.system": "eino"}
    return span(kind, own | attributes, scope="github.com/cloudwego/eino-ext/callbacks/apmplus")


def test_einos_parts_are_what_their_kinds_say():
    assert eino("workflow").span_type == "WORKFLOW"
    assert eino("lambda").span_type == "CHAIN"
    tool = eino("tool", **{"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": '{"city": "Brno"}',
                           "gen_ai.completion.0.content": "21"})  # fmt: skip
    assert (tool.span_type, tool.input_preview, tool.output_preview) == ("TOOL", '{"city": "Brno"}', "21")
    call = eino("chatmodel", **{"gen_ai.request.model": "doubao", "gen_ai.usage.prompt_tokens": 5,
                                "gen_ai.usage.completion_tokens": 2})  # fmt: skip
    assert (call.span_type, call.input_tokens, call.session_id, call.user_id) == ("CHAT_MODEL", 5, "s-3", "jana")


def test_langchain4j_says_tokens_in_plain_keys_and_quarkus_a_cost():
    own = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "input_tokens": "12",
        "output_tokens": "3",
    }
    record = span("gen_ai.client.operation.duration", own, scope="org.springframework.boot")
    assert (record.input_tokens, record.output_tokens) == (12, 3)
    priced = {"gen_ai.operation.name": "chat", "gen_ai.client.estimated_cost": "0.0125USD"}
    record = span("completion gpt-4o", priced, scope="io.quarkus.opentelemetry")
    assert str(record.cost_usd) == "0.0125000000"
    tool = span("langchain4j.tools.getWeather", {}, scope="io.quarkus.opentelemetry")
    assert (tool.span_type, tool.tool_name) == ("TOOL", "getWeather")


def test_openllmetry_for_go_has_vendor_model_and_prompts_of_its_own():
    record = span(
        "openai.chat",
        {
            "llm.vendor": "OpenAI", "llm.request.type": "chat", "llm.request.model": "gpt-4o",
            "llm.usage.prompt_tokens": 9,
            "llm.usage.completion_tokens": 4, "llm.prompts.0.role": "user", "llm.prompts.0.content": "Hi?",
            "llm.completions.0.role": "assistant", "llm.completions.0.content": "Hello.",
        },
        scope="github.com/traceloop/go-openllmetry",
    )  # fmt: skip
    assert (record.provider_name, record.request_model, record.input_tokens) == ("openai", "gpt-4o", 9)
    assert (record.input_preview, record.output_preview) == ("Hi?", "Hello.")


def test_an_answer_in_json_stays_the_text_that_it_is():
    for text in ('[{"data": {"a": 1}}]', '[{"json": 1}]', '[{"media": {"url": "x"}}]'):
        answer = {"gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": text}
        attributes = {"gen_ai.operation.name": "chat", **answer}
        record = span("chat", attributes, scope="x")
        assert (record.output_preview, content(record).output) == (text, text)


def test_copilots_chat_is_the_session_and_its_request_the_input():
    chat = {"copilot_chat.chat_session_id": "chat-1"}
    agent = span(
        "invoke_agent Inline Chat",
        {"gen_ai.operation.name": "invoke_agent", "copilot_chat.user_request": "Rename it", **chat},
        scope="copilot-chat",
    )  # fmt: skip
    call = span(
        "chat gpt-5", {"gen_ai.operation.name": "chat", "gen_ai.conversation.id": "c", **chat},
        scope="copilot-chat", span_id="2", parent="1",
    )  # fmt: skip
    found = summarize([agent, call])
    assert (found.session_id, found.input_preview) == ("chat-1", "Rename it")
    assert [record.session_id for record in (agent, call)] == ["chat-1", "chat-1"]


def test_a_hook_of_copilot_is_a_step_that_may_fail():
    hook = {"gen_ai.operation.name": "execute_hook", "copilot_chat.hook_type": "PreToolUse"}
    facts = {
        "copilot_chat.hook_input": "ls",
        "copilot_chat.hook_output": "denied",
        "copilot_chat.hook_result_kind": "error",
    }
    failed = span("execute_hook PreToolUse", hook | facts, scope="copilot-chat")
    assert (failed.span_type, failed.is_error) == ("CHAIN", True)
    assert (failed.input_preview, failed.output_preview) == ("ls", "denied")
    assert not span("execute_hook PreToolUse", hook | {"copilot_chat.hook_result_kind": "success"}, scope="x").is_error

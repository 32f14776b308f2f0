"""Tools that the provider runs, and parts of types that nobody knows: calls with results, never lost, never text."""

import json

import pytest

from spans.semconv.messages import messages_of
from spans.semconv.parts import text_of_parts
from spans.semconv.previews import messages_preview


def parts(items):
    return [part for message in messages_of(items, "assistant") for part in message["parts"]]


def summary(items):
    """(what, name, arguments or result, server) of each call and result; texts as they are."""
    found = []
    for part in parts(items):
        if part["type"] == "tool_call":
            found.append(("call", part["name"], part["arguments"], part.get("server", "")))
        elif part["type"] == "tool_result":
            found.append(("result", part["name"], part["result"], part.get("server", "")))
        else:
            found.append(part.get("text", part))
    return found


ANSWER = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "At 12:04."}]}
IMAGE = {"type": "media", "modality": "image", "mime_type": "", "uri": ""}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "tram"}},
            [("call", "web_search", {"type": "search", "query": "tram"}, "")],
        ),
        (
            {"type": "web_search_call", "action": {"query": "tram", "sources": [{"url": "https://x"}]}},
            [("call", "web_search", {"query": "tram"}, ""), ("result", "web_search", [{"url": "https://x"}], "")],
        ),
        (
            {"type": "mcp_call", "name": "stops", "server_label": "transit", "arguments": '{"q": 1}',
             "output": "Hlavní"},
            [("call", "stops", {"q": 1}, "transit"), ("result", "stops", "Hlavní", "transit")],
        ),
        (
            {"type": "mcp_call", "name": "stops", "arguments": "{}", "output": None, "error": {"message": "down"}},
            [("call", "stops", {}, ""), ("result", "stops", {"error": {"message": "down"}}, "")],
        ),
        (
            {"type": "mcp_list_tools", "server_label": "transit", "tools": [{"name": "stops"}]},
            [("call", "mcp_list_tools", None, "transit"), ("result", "mcp_list_tools", [{"name": "stops"}], "transit")],
        ),
        (
            {"type": "mcp_approval_request", "name": "buy", "server_label": "shop", "arguments": '{"n": 2}'},
            [("call", "buy", {"n": 2}, "shop")],
        ),
        (
            {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True},
            [("result", "mcp_approval_response", {"approve": True}, "")],
        ),
        (
            {"type": "code_interpreter_call", "code": "1+1", "outputs": [{"type": "logs", "logs": "2"}]},
            [("call", "code_interpreter", {"code": "1+1"}, ""),
             ("result", "code_interpreter", [{"type": "logs", "logs": "2"}], "")],
        ),
        (
            {"type": "file_search_call", "queries": ["tram"], "results": [{"file_id": "file-1", "text": "At nine"}]},
            [("call", "file_search", {"queries": ["tram"]}, ""),
             ("result", "file_search", [{"file_id": "file-1", "text": "At nine"}], "")],
        ),
        (
            {"type": "computer_call", "call_id": "c", "action": {"type": "click", "x": 1}},
            [("call", "computer", {"type": "click", "x": 1}, "")],
        ),
        (
            {"type": "computer_call_output", "output": {"type": "computer_screenshot", "file_id": "f-1"}},
            [("result", "computer", [IMAGE | {"file_id": "f-1"}], "")],
        ),
        (
            {"type": "local_shell_call", "call_id": "c", "action": {"type": "exec", "command": ["ls"]}},
            [("call", "local_shell", {"type": "exec", "command": ["ls"]}, "")],
        ),
        ({"type": "local_shell_call_output", "output": "a.txt"}, [("result", "local_shell", "a.txt", "")]),
        (
            {"type": "image_generation_call", "revised_prompt": "a tram", "result": "iVBORw0KGgo" + "Ab3/" * 200},
            [("call", "image_generation", {"revised_prompt": "a tram"}, ""),
             ("result", "image_generation", [IMAGE], "")],
        ),
        ({"type": "apply_patch_call", "operation": {"path": "a"}}, [("call", "apply_patch", {"path": "a"}, "")]),
        (
            {"type": "tea_making_call", "leaf": "green", "output": "a cup"},
            [("call", "tea_making", {"leaf": "green"}, ""), ("result", "tea_making", "a cup", "")],
        ),
        ({"type": "custom_tool_call", "call_id": "c", "name": "sh", "input": "ls"}, [("call", "sh", "ls", "")]),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_hosted_tools_of_openai_are_calls_with_results(item, expected):
    assert summary([item, ANSWER]) == [*expected, "At 12:04."]
    assert summary({"object": "response", "output": [item, ANSWER]}) == [*expected, "At 12:04."]
    assert summary([json.dumps(item), json.dumps(ANSWER)]) == [*expected, "At 12:04."]
    assert messages_preview([item, ANSWER], output=True) == "At 12:04."


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "tram"}},
         ("call", "web_search", {"query": "tram"}, "")),
        ({"type": "mcp_tool_use", "id": "m", "name": "stops", "server_name": "transit", "input": {"q": 1}},
         ("call", "stops", {"q": 1}, "transit")),
        ({"type": "mcp_tool_result", "tool_use_id": "m", "content": [{"type": "text", "text": "Hlavní"}]},
         ("result", "mcp", "Hlavní", "")),
        ({"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "web_search_result", "url": "u"}]},
         ("result", "web_search", [{"type": "web_search_result", "url": "u"}], "")),
        ({"type": "code_execution_tool_result", "tool_use_id": "s",
          "content": {"type": "code_execution_result", "stdout": "2", "return_code": 0}},
         ("result", "code_execution", {"type": "code_execution_result", "stdout": "2", "return_code": 0}, "")),
        ({"type": "mcp_tool_result", "tool_use_id": "m", "is_error": True, "content": "down"},
         ("result", "mcp", {"error": "down"}, "")),
        ({"executableCode": {"language": "PYTHON", "code": "1+1"}},
         ("call", "code_execution", {"language": "PYTHON", "code": "1+1"}, "")),
        ({"executable_code": {"language": "PYTHON", "code": "1+1"}, "text": None, "thought": None},
         ("call", "code_execution", {"language": "PYTHON", "code": "1+1"}, "")),
        ({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}}, ("result", "code_execution", "2", "")),
        ({"type": "google_search_call", "id": "g", "arguments": {"queries": ["tram"]}},
         ("call", "google_search", {"queries": ["tram"]}, "")),
        ({"type": "google_search_result", "call_id": "g", "result": [{"url": "u"}]},
         ("result", "google_search", [{"url": "u"}], "")),
        ({"part_kind": "builtin-tool-call", "tool_name": "web_search", "args": {"query": "tram"}, "tool_call_id": "b"},
         ("call", "web_search", {"query": "tram"}, "")),
        ({"part_kind": "builtin-tool-return", "tool_name": "web_search", "content": "found", "tool_call_id": "b"},
         ("result", "web_search", "found", "")),
        ({"type": "server_tool_call", "id": "w", "name": "web_search",
          "server_tool_call": {"type": "web_search", "action": {"query": "tram"}}},
         ("call", "web_search", {"query": "tram"}, "")),
        ({"type": "server_tool_call_response", "id": "w", "server_tool_call_response": {"type": "code_execution",
          "outcome": "OK", "output": "2"}},
         ("result", "code_execution", "2", "")),
    ],
    ids=lambda value: json.dumps(value)[:50] if isinstance(value, dict) else "",
)  # fmt: skip
def test_hosted_tools_of_anthropic_gemini_and_genai_parts_are_calls_with_results(block, expected):
    for holder in ("content", "parts"):
        value = {"role": "assistant", holder: [block, {"type": "text", "text": "At 12:04."}]}
        assert summary([value]) == [expected, "At 12:04."]
        assert messages_preview([value], output=True) == "At 12:04."


@pytest.mark.parametrize("names", [("groundingMetadata", "webSearchQueries", "groundingChunks", "urlContextMetadata",
                                    "urlMetadata"),
                                   ("grounding_metadata", "web_search_queries", "grounding_chunks",
                                    "url_context_metadata", "url_metadata")])  # fmt: skip
def test_what_gemini_searched_is_a_call_with_its_result_before_the_answer(names):
    grounding, queries, chunks, context, pages = names
    candidate = {
        "content": {"role": "model", "parts": [{"text": "At 12:04."}]},
        grounding: {queries: ["tram"], chunks: [{"web": {"uri": "u"}}]},
        context: {pages: [{"retrieved_url": "v"}]},
    }
    assert summary({"candidates": [candidate]}) == [
        ("call", "google_search", {"queries": ["tram"]}, ""),
        ("result", "google_search", [{"web": {"uri": "u"}}], ""),
        ("call", "url_context", None, ""),
        ("result", "url_context", [{"retrieved_url": "v"}], ""),
        "At 12:04.",
    ]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "compaction", "id": "c", "note": "short"},
        {"type": "source", "url": "u", "title": "T"},
        {"type": "table", "content": "a|b", "rows": 2},
        {"type": "hologram", "content": "beam"},
    ],
)
def test_a_part_of_an_unknown_type_is_shown_as_what_it_is(block):
    found = parts([{"role": "assistant", "content": [block, {"type": "text", "text": "ok"}]}])
    assert found == [{"type": "unknown", "name": block["type"], "value": block}, {"type": "text", "text": "ok"}]
    assert messages_of([{"role": "assistant", "parts": found}], "assistant")[0]["parts"] == found


def test_an_item_of_an_unknown_type_beside_messages_is_shown_as_what_it_is():
    assert parts([{"type": "item_reference", "id": "i"}, ANSWER])[0] == {
        "type": "unknown", "name": "item_reference", "value": {"type": "item_reference", "id": "i"},
    }  # fmt: skip


def test_a_structured_answer_without_a_type_is_its_json():
    assert parts([{"role": "assistant", "content": {"answer": 42}}]) == [{"type": "text", "text": '{"answer": 42}'}]


def test_json_that_the_model_wrote_stays_its_text():
    answer = '[{"type": "person", "name": "Ada"}]'
    assert parts([{"role": "assistant", "content": answer}]) == [{"type": "text", "text": answer}]


def test_the_sources_of_a_text_stay_with_it():
    cited = [{"type": "url_citation", "url": "u"}]
    text = {"type": "output_text", "text": "At 12:04.", "annotations": cited}
    assert parts([{"role": "assistant", "content": [text]}]) == [
        {"type": "text", "text": "At 12:04.", "citations": cited}
    ]


def test_calls_sent_as_lists_of_json_texts_are_decoded():
    call = {"id": "c1", "type": "function", "function": {"name": "hours", "arguments": '{"day": "monday"}'}}
    for calls in ([json.dumps(call)], json.dumps([json.dumps(call)]), [call], call):
        assert parts([{"role": "assistant", "content": "", "tool_calls": calls}]) == [
            {"type": "tool_call", "id": "c1", "name": "hours", "arguments": {"day": "monday"}}
        ]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "audio": {"data": "UklGR" + "Ab3/" * 99, "transcript": "Hi"}},
        {"role": "assistant", "content": [{"type": "output_audio", "transcript": "Hi"}]},
        {"role": "assistant", "content": [{"type": "audio", "audio": "UklGR" + "Ab3/" * 99, "transcript": "Hi"}]},
        {"role": "assistant", "content": [{"type": "input_audio", "input_audio": {"data": "QQ", "transcript": "Hi"}}]},
        {"message": {"role": "assistant", "contents": [{"message_content": {
            "type": "audio", "audio": {"audio": {"mime_type": "audio/wav", "transcript": "Hi"}}}}]}},
    ],
    ids=range(5),
)  # fmt: skip
def test_a_spoken_answer_shows_what_was_said(message):
    (part,) = parts([message])
    assert (part["type"], part["modality"], part["transcript"]) == ("media", "audio", "Hi")
    assert text_of_parts([part]) == "Hi"
    assert messages_preview([message], output=True) == "Hi"


@pytest.mark.parametrize(
    ("block", "named"),
    [
        ({"type": "file", "file": {"file_id": "file-1", "filename": "a.pdf"}}, ("file-1", "a.pdf")),
        ({"type": "input_file", "file_id": "file-1", "filename": "a.pdf"}, ("file-1", "a.pdf")),
        ({"type": "input_image", "file_id": "file-1"}, ("file-1", None)),
        ({"type": "document", "source": {"type": "file", "file_id": "file-1"}, "title": "a.pdf"}, ("file-1", "a.pdf")),
        ({"type": "container_upload", "file_id": "file-1"}, ("file-1", None)),
        ({"fileData": {"fileUri": "files/abc", "mimeType": "application/pdf"}}, ("files/abc", None)),
        ({"type": "file", "file_id": "file-1", "modality": "image"}, ("file-1", None)),
    ],
)
def test_files_are_named(block, named):
    (part,) = parts([{"role": "user", "content": [block]}])
    assert (part["type"], part.get("file_id"), part.get("name")) == ("media", *named)
